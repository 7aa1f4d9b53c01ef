"""Fetches the file an input's address names, from the web or from where an operator allows."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from shared.actions.input_address import address_refusal, input_guard, is_web, remote_files
from shared.actions.job_request import InputAddress, UploadedFile
from shared.net.aiohttp_send import send_with_aiohttp
from shared.net.exchange import Send, exchange
from shared.net.guard import Guard
from shared.net.refused import WebError
from shared.net.web_request import WebAnswer, WebRequest
from shared.settings import Settings
from shared.tables.media_types import FORMAT_OF_MEDIA_TYPE
from shared.tables.remote_file import RemoteFailed, copy_remote

REDIRECTS = 5
_OK = 200
_TRANSIENT = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_LOOK_S = 0.2
_NAME_CHARS = 200
# Servers say these of anything; name and content tell more.
_VAGUE = frozenset({"text/plain", "application/octet-stream", "binary/octet-stream"})


class NotFetched(Exception):
    """The input did not come.

    `code` is ``address_not_allowed``, ``too_large`` or ``input_unreachable``; `transient` tells
    that trying again may help.
    """

    def __init__(self, code: str, detail: str, *, transient: bool = False) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.transient = transient


@dataclass(frozen=True, slots=True)
class Web:
    """How the web is reached; tests put their own resolver and transport here."""

    guard: Guard | None = None
    send: Send = send_with_aiohttp


def fetch_input(
    settings: Settings, address: InputAddress, folder: Path,
    stopped: Callable[[], bool] = lambda: False, web: Web | None = None,
) -> UploadedFile:  # fmt: skip
    """Return the file, written into the folder under a name of ours.

    Bounded by `upload_max_bytes` and `input_wall_s`, given up once `stopped` says so. Raises
    NotFetched.
    """
    target = folder / "input"
    with _watched(stopped) as cancelled:
        if is_web(address.url):
            return _from_web(settings, address, target, cancelled, web or Web())
        return _from_elsewhere(settings, address, target, cancelled)


def _from_web(
    settings: Settings, address: InputAddress, target: Path, cancelled: threading.Event, web: Web
) -> UploadedFile:
    guard = web.guard or input_guard(settings)
    try:
        with target.open("wb") as file:
            request = _request(settings, address, file)
            answer = asyncio.run(_exchange(request, guard, web, cancelled))
    except WebError as error:
        if error.code in ("address_not_allowed", "too_large"):
            raise NotFetched(error.code, error.detail) from error
        raise NotFetched("input_unreachable", error.detail, transient=error.transient) from error
    if answer.status != _OK:
        passing = answer.status in _TRANSIENT or answer.status >= _SERVER_ERROR
        detail = f"The server answered with status {answer.status}."
        raise NotFetched("input_unreachable", detail, transient=passing)
    name = _name(unquote(urlsplit(answer.url).path))
    return UploadedFile(target, name, address.format or _told_format(answer), address.sheet)


def _request(settings: Settings, address: InputAddress, file: BinaryIO) -> WebRequest:
    return WebRequest(
        address.url,
        headers={"Accept": "*/*"},
        redirects=REDIRECTS,
        wall_s=settings.input_wall_s,
        most_bytes=settings.upload_max_bytes,
        into=file,
    )


async def _exchange(
    request: WebRequest, guard: Guard, web: Web, cancelled: threading.Event
) -> WebAnswer:
    task = asyncio.ensure_future(exchange(request, guard, web.send))
    while not task.done():
        await asyncio.wait({task}, timeout=_LOOK_S)
        if cancelled.is_set():
            task.cancel()
            raise WebError("cancelled", "Nobody waits for it any more.", transient=True)
    return task.result()


def _told_format(answer: WebAnswer) -> str | None:
    """Return what the server says the body is; nothing where servers say that of anything."""
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return None if media_type in _VAGUE else FORMAT_OF_MEDIA_TYPE.get(media_type)


def _from_elsewhere(
    settings: Settings, address: InputAddress, target: Path, cancelled: threading.Event
) -> UploadedFile:
    refused = address_refusal(settings, address.url)  # the settings may have changed since
    if refused is not None:
        raise NotFetched("address_not_allowed", refused)
    try:
        copy_remote(remote_files(settings), address.url, target, cancelled)
    except RemoteFailed as error:
        code = "too_large" if error.code == "too_large" else "input_unreachable"
        detail = f"The file cannot be read from its address: {error.detail}."
        raise NotFetched(code, detail, transient=error.transient) from error
    return UploadedFile(target, _name(address.url), address.format, address.sheet)


def _name(path: str) -> str:
    return PurePosixPath(path).name[-_NAME_CHARS:].replace("\0", "") or "input"


@contextmanager
def _watched(stopped: Callable[[], bool]) -> Iterator[threading.Event]:
    """Yield an event that is set once `stopped` says so."""
    cancelled, ended = threading.Event(), threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_S):
            if stopped():
                cancelled.set()
                return

    thread = threading.Thread(target=look, name="fetch-watch", daemon=True)
    thread.start()
    try:
        yield cancelled
    finally:
        ended.set()
        thread.join()
