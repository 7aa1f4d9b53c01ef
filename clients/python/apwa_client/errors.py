"""What may go wrong: the API's problems (RFC 9457) as typed errors, and what has no answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


class ApwaError(Exception):
    """Everything this package raises of its own."""


class ApiUnreachable(ApwaError):
    """No answer came, or it broke off. `sent`: the request may have arrived."""

    def __init__(self, url: str, reason: BaseException, *, sent: bool) -> None:
        self.url, self.reason, self.sent = url, reason, sent
        super().__init__(f"no API answers at {url} ({str(reason) or type(reason).__name__})")


class WaitTimeout(ApwaError):
    """The time given to wait is over; the job goes on."""


class NoResult(ApwaError):
    """The job has no result to read: it has not got so far, or it failed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad field: where (JSON Pointer) and why."""

    pointer: str
    detail: str
    code: str | None = None


class ApiError(ApwaError):
    """The API answered with an error. `code` is for programs, `detail` for people."""

    def __init__(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.status, self.body = status, dict(body)
        self.code = str(body.get("code") or f"http_{status}")
        self.title = str(body.get("title") or "")
        self.detail = str(body.get("detail") or self.title or f"the API answered {status}")
        self.request_id: str | None = body.get("request_id") or headers.get("x-request-id")
        self.problems = [_problem(item) for item in body.get("errors") or []]
        self.retry_after_s = _retry_after(headers.get("retry-after"))
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        lines = [f"{self.status} {self.code}: {self.detail}"]
        lines += [f"  {item.pointer or '/'}: {item.detail}" for item in self.problems]
        if self.status >= 500 and self.request_id:
            lines.append(f"  (request {self.request_id})")
        return "\n".join(lines)


class Unauthorized(ApiError):
    """401: no key, or one that is not valid."""


class Forbidden(ApiError):
    """403: the key lacks a scope, or a quota of its project does not allow it."""


class NotFound(ApiError):
    """404: no such object in the key's project."""


class Conflict(ApiError):
    """409: not in the state the object is in."""


class Gone(ApiError):
    """410: it was deleted."""


class Stale(ApiError):
    """412 or 428: it has changed since it was read, or it was not said what was read."""


class TooLarge(ApiError):
    """413: larger than this route takes."""


class Invalid(ApiError):
    """400, 415 or 422: the request is not valid; `problems` says which field."""


class RateLimited(ApiError):
    """429: too much at once; `retry_after_s` says when to come back."""


class ServerError(ApiError):
    """5xx: not the caller's fault."""


_KINDS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Stale,
    413: TooLarge,
    415: Invalid,
    422: Invalid,
    428: Stale,
    429: RateLimited,
}


def error_of(status: int, headers: Mapping[str, str], content: bytes) -> ApiError:
    """Return the error of an answer; a body that is no problem document becomes its detail."""
    kind = _KINDS.get(status) or (ServerError if status >= 500 else ApiError)
    return kind(status, _body(content), headers)


def _body(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {"detail": content[:300].decode("utf-8", "replace")}
    return found if isinstance(found, dict) else {}


def _problem(item: Mapping[str, Any]) -> Problem:
    return Problem(str(item.get("pointer") or ""), str(item.get("detail") or ""), item.get("code"))


def _retry_after(text: str | None) -> float | None:
    """Read seconds or an HTTP date; None for what is neither."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
