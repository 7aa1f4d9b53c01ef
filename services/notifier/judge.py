"""What an answer of a receiver means: 2xx is success, anything else is not."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from shared.llm.limit_headers import retry_after_s
from shared.net.web_request import WebAnswer

GONE = 410
_KEPT_HEADERS, _KEPT_CHARS = 50, 500


def problem_of(answer: WebAnswer) -> dict[str, Any] | None:
    """Return ``{code, detail}`` of an answer that is no success, None for 2xx."""
    status = answer.status
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return {
            "code": "redirect",
            "detail": f"The receiver answers {status}; redirects are not followed, change the url.",
        }
    if status == GONE:
        return {"code": "gone", "detail": "The receiver answers 410: it wants no more webhooks."}
    return {"code": "bad_status", "detail": f"The receiver answers {status}{_phrase(status)}."}


def asked_delay_s(answer: WebAnswer) -> float | None:
    """Return the seconds that `Retry-After` asks for."""
    return retry_after_s(answer.headers, datetime.now(UTC))


def shown(answer: WebAnswer) -> dict[str, Any]:
    """Return what the log keeps of an answer, in bounded size and as Postgres can hold it."""
    return {
        "headers": _headers(answer.headers),
        "body": _text(answer.body.decode("utf-8", "replace")),
        "truncated": answer.truncated,
    }


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    kept = list(headers.items())[:_KEPT_HEADERS]
    return {_text(name)[:_KEPT_CHARS]: _text(value)[:_KEPT_CHARS] for name, value in kept}


def _text(found: str) -> str:
    """Replace what is no text to Postgres: NUL, and bytes of a header that were not UTF-8."""
    return found.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
