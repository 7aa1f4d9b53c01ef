"""A small HTTP/1.1 server that can also misbehave: whole answers, or anything a handler writes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

REASONS = {200: "OK", 202: "Accepted", 302: "Found", 404: "Not Found", 429: "Too Many Requests"}
MOST_HEAD = 65_536
TLS_GREETING = b"\x16\x03"
MOST_BODY = 200_000_000


@dataclass(slots=True)
class Request:
    """One request; header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Response:
    """One whole answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    content_type: str | None = "application/json"


class Connection(asyncio.Protocol):
    """One client: requests one after the other; a handler may write raw bytes instead."""

    def __init__(self, handle: "Handler") -> None:
        self._handle = handle
        self._buffer = bytearray()
        self._request: Request | None = None
        self._wanted = 0
        self._task: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def gone(self) -> bool:
        """True when nothing written would arrive: the client went, or we closed."""
        return self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written."""
        await self._writable.wait()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer.startswith(TLS_GREETING):
            self.reset()
        self._next()

    def write(self, data: bytes) -> None:
        """Write raw bytes."""
        if not self.gone:
            self.transport.write(data)

    def answer(self, response: Response) -> bool:
        """Write a whole answer; False when the client has gone."""
        if self.gone:
            return False
        self.transport.write(render(response))
        return True

    def close(self) -> None:
        """Close in order, after what was written."""
        self.transport.close()

    def reset(self) -> None:
        """Drop the connection at once."""
        self.transport.abort()

    def _next(self) -> None:
        while self._task is None and not self.gone:
            if self._request is None and not self._read_head():
                return
            if len(self._buffer) < self._wanted or self._request is None:
                return
            request, self._request = self._request, None
            request.body = bytes(self._buffer[: self._wanted])
            del self._buffer[: self._wanted]
            waiting = self._handle(request, self)
            if waiting is not None:
                self._task = asyncio.ensure_future(waiting)
                self._task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            self.transport.abort()
            raise task.exception()  # type: ignore[misc]
        self._next()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MOST_HEAD:
                self.reset()
            return False
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        parts = lines[0].split(" ")
        if len(parts) != 3:
            self.reset()
            return False
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _colon, value in pairs}
        self._wanted = int(headers.get("content-length", "0"))
        if self._wanted > MOST_BODY:
            self.reset()
            return False
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._request = Request(parts[0], parts[1], headers, b"")
        return True


Handler = Callable[[Request, Connection], "Awaitable[None] | None"]


def render(response: Response) -> bytes:
    """Return the bytes of a whole answer."""
    return head(response, len(response.body)) + response.body


def head(response: Response, length: int | None) -> bytes:
    """Return the bytes up to the body; `length` None announces none and closes after."""
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}"]
    if response.content_type is not None:
        lines.append(f"content-type: {response.content_type}")
    lines.append("connection: close" if length is None else f"content-length: {length}")
    lines += [f"{name}: {value}" for name, value in (response.headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
