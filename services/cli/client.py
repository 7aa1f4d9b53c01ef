"""The command line's door to the API: `apwa_client`, with sentences and exit codes for errors."""

import uuid
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import quote, urlencode

from apwa_client import ApiError, ApiUnreachable, Client, Retries
from apwa_client.bodies import Body, json_body
from apwa_client.call import ANY_ANSWER, Answer, Call
from services.cli.exits import CommandError, Exit

__all__ = [
    "ApiClient",
    "ApiRefusedError",
    "ApiUnreachableError",
    "Body",
    "Json",
    "Query",
    "translated",
]

# A restarted API is back within seconds; nobody wants to wait long for one that is not there.
_RETRIES = Retries(attempts=6, first_s=0.2, longest_s=3.0, patience_s=10.0)

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


class ApiClient:
    """Speaks to one API with one key. Raises ApiUnreachableError and ApiRefusedError.

    `api` is the client itself, for what has no shorter form here; use it within `translated`.
    """

    def __init__(self, url: str, key: str) -> None:
        try:
            self.api = Client(url, key, retries=_RETRIES)
        except ValueError as error:  # APWA_API_URL without a key, or no address
            raise CommandError(str(error)) from error
        self.url = self.api.url
        weakref.finalize(self, self.api.close)

    def do(self, operation_id: str, **parameters: Any) -> Any:
        """Call an operation by its name in the OpenAPI document; see ``Client.request``."""
        with translated():
            return self.api.request(operation_id, **parameters)

    def every(self, operation_id: str, **parameters: Any) -> Iterator[Json]:
        """Yield every item of a list, page by page."""
        with translated():
            yield from self.api.pages(operation_id, **parameters)

    def get(self, path: str, query: Query | None = None) -> Json:
        """Return the JSON body of a GET, asked again while the API is away for a moment."""
        return self._json(_call("GET", path, query))

    def post(self, path: str, body: Json | None = None, query: Query | None = None) -> Json:
        """POST JSON and return the answer; repeated safely under one idempotency key."""
        return self.upload(path, query or {}, json_body(body or {}))

    def delete(self, path: str) -> Json:
        """DELETE and return the answer; repeated while the API is away for a moment."""
        return self._json(_call("DELETE", path, None))

    def upload(self, path: str, query: Query, body: Body) -> Json:
        """POST a stream of bytes and return the answer."""
        return self._json(_call("POST", path, query, body))

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
        with translated(), self.api.open(_call("GET", path, query)) as answer:
            for block in answer.iter_bytes():
                target.write(block)
                written += len(block)
        return written

    def _json(self, call: Call) -> Json:
        with translated():
            answer: Answer = self.api.send(call)
        content = answer.json()
        if content is None:
            return {}
        return content if isinstance(content, dict) else {"items": content}


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the client into errors that end the command."""
    try:
        yield
    except ApiError as error:
        raise ApiRefusedError(error.status, error.body) from error
    except ApiUnreachable as error:
        reason = error.reason
        raise ApiUnreachableError(error.url, str(reason) or type(reason).__name__) from error


def _call(method: str, path: str, query: Query | None, body: Body | None = None) -> Call:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    target = quote(path, safe="/:@") + (f"?{urlencode(given)}" if given else "")
    headers = {"Accept": ANY_ANSWER}
    if method == "POST":
        headers["Idempotency-Key"] = str(uuid.uuid4())
    if body:
        headers |= {"Content-Type": body.content_type, "Content-Length": str(body.length)}
    return Call(method, target, headers, body)


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
