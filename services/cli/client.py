"""A small client of the HTTP interface: JSON both ways, files streamed with constant memory."""

import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from services.cli.exits import CommandError, Exit

_TIMEOUT_S = 60.0
_BLOCK = 1 << 18
_TRIES = 6  # a restarted API is back within seconds

Json = dict[str, Any]
Query = Mapping[str, str | int | None]


class ApiUnreachableError(CommandError):
    """Nothing answered at the address."""

    def __init__(self, url: str, reason: object) -> None:
        super().__init__(f"no API answers at {url} ({reason})", Exit.UNREACHABLE)


class ApiRefusedError(CommandError):
    """The API answered with a problem (RFC 9457); ``problem`` is its body."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(_sentence(status, problem), Exit.FAILED if status >= 500 else Exit.REFUSED)
        self.status, self.problem = status, problem


@dataclass(frozen=True, slots=True)
class Body:
    """What to send: ``open`` returns it from its start, in blocks; ``length`` in bytes."""

    open: Callable[[], Iterable[bytes]]
    length: int
    content_type: str


class ApiClient:
    """Speaks to one API with one key. Raises ApiUnreachableError and ApiRefusedError."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self._key = url.rstrip("/"), key
        self._address = urlsplit(self.url)

    def get(self, path: str, query: Query | None = None) -> Json:
        """Return the JSON body of a GET, asked again while the API is away for a moment."""
        return self._json("GET", path, query, None)

    def post(self, path: str, body: Json | None = None, query: Query | None = None) -> Json:
        """POST JSON and return the answer; repeated safely under one idempotency key."""
        content = json.dumps(body or {}, ensure_ascii=False).encode("utf-8", "surrogatepass")
        sent = Body(lambda: [content], len(content), "application/json")
        return self._json("POST", path, query, sent)

    def delete(self, path: str) -> Json:
        """DELETE and return the answer; repeated while the API is away for a moment."""
        return self._json("DELETE", path, None, None)

    def upload(self, path: str, query: Query, body: Body) -> Json:
        """POST a stream of bytes and return the answer."""
        return self._json("POST", path, query, body)

    def pages(self, path: str, query: Query | None = None) -> Iterator[Json]:
        """Yield every item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, {**(query or {}), "cursor": cursor})
            yield from page.get("items", [])
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def download(self, path: str, query: Query, target: IO[bytes]) -> int:
        """Write the body of a GET to ``target`` as it comes; returns the bytes written."""
        written = 0
        with self._answer("GET", path, query, None, {}) as answer:
            while block := answer.read(_BLOCK):
                target.write(block)
                written += len(block)
        return written

    def _json(self, method: str, path: str, query: Query | None, body: Body | None) -> Json:
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        for attempt in range(_TRIES):
            try:
                with self._answer(method, path, query, body, headers) as answer:
                    content = json.loads(answer.read() or b"{}")
                    return content if isinstance(content, dict) else {"items": content}
            except ApiUnreachableError:
                if attempt == _TRIES - 1:
                    raise
            except ApiRefusedError as refused:
                if refused.status not in (429, 503) or attempt == _TRIES - 1:
                    raise
            time.sleep(min(0.2 * 2**attempt, 3.0))
        raise AssertionError("unreachable")

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Body | None,
        headers: Mapping[str, str],
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connect()
        try:
            response = self._exchange(connection, method, _target(path, query), body, headers)
            if response.status >= 300:
                raise ApiRefusedError(response.status, _problem(response))
            yield response
        except (OSError, http.client.HTTPException) as error:
            raise ApiUnreachableError(self.url, error or type(error).__name__) from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        secure = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        host = self._address.hostname or "127.0.0.1"
        return kind(host, self._address.port, timeout=_TIMEOUT_S, blocksize=_BLOCK)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: Body | None,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        sent = {"Authorization": f"Bearer {self._key}", "Accept": "application/json, */*;q=0.5"}
        if body:
            sent |= {"Content-Type": body.content_type, "Content-Length": str(body.length)}
        try:
            connection.request(
                method,
                self._address.path + target,
                body=iter(body.open()) if body else None,
                headers={**sent, **headers},
            )
        except (BrokenPipeError, ConnectionResetError):
            # A body refused half way: the reason was sent before the door closed.
            return connection.getresponse()
        return connection.getresponse()


def _target(path: str, query: Query | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return quote(path, safe="/:@") + (f"?{urlencode(given)}" if given else "")


def _problem(response: http.client.HTTPResponse) -> Json:
    raw = response.read(1_000_000)
    try:
        content = json.loads(raw)
    except ValueError:
        return {"detail": raw[:300].decode("utf-8", "replace")}
    return content if isinstance(content, dict) else {}


def _sentence(status: int, problem: Json) -> str:
    lines = [str(problem.get("detail") or problem.get("title") or f"the API answered {status}")]
    for item in problem.get("errors") or []:
        detail = item.get("detail", "")
        if detail and detail not in lines:
            code = f" [{item['code']}]" if item.get("code") else ""
            lines.append(f"  {item.get('pointer') or '/'}: {detail}{code}")
    if status == 401:
        lines.append("  (set APWA_API_KEY, or use --dir of the stack you started)")
    if status >= 500 and problem.get("request_id"):
        lines.append(f"  (request {problem['request_id']})")
    return "\n".join(lines)
