"""Turns an HTTP error answer of a model endpoint into a CallFailure: pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from shared.domain.model_call import CallFailure, FailureKind
from shared.llm.limit_headers import limit_hints, retry_after_s, span_s

SHOWN = 500  # characters of a provider's message that are kept
_OVERLOADED = frozenset({408, 409, 425, 529})
_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "insufficient_balance",
        "insufficient_credits",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "quota_exceeded",
        "exceeded_current_quota_error",
        "access_terminated",
        "arrearage",
        "payment_required",
    }
)
# Sentences count only where no code says more: Gemini sends OpenAI's sentence about billing with
# every limit per minute, and there its status RESOURCE_EXHAUSTED comes along.
_QUOTA_WORDS = re.compile(
    r"credit balance is too low|insufficient (?:balance|credits?|funds)|out of credits"
    r"|exceeded your current quota|billing hard limit",
    re.IGNORECASE,
)
_CONTEXT_CODES = frozenset(
    {
        "context_length_exceeded",
        "exceed_context_size_error",
        "string_above_max_length",
        "request_too_large",
        "tokens_limit_reached",
        "context_window_exceeded",
    }
)
_CONTEXT_WORDS = re.compile(
    r"maximum context length|context (?:length|window|size)[^.]{0,40}exceed"
    r"|exceeds?[^.]{0,60}context (?:length|window|size)|prompt is too long|input is too long"
    r"|too many (?:input )?tokens|exceeds the maximum number of (?:input )?tokens"
    r"|too large for model with \d+ maximum context|input tokens? (?:count|exceed)"
    r"|reduce the length of the (?:messages|prompt|input)|context the overflows",
    re.IGNORECASE,
)
_FILTER_CODES = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "data_inspection_failed",
        "datainspectionfailed",
        "moderation_blocked",
        "safety",
        "prohibited_content",
        "content_blocked",
    }
)
_FILTER_WORDS = re.compile(
    r"content management policy|content filter(?:ing)? polic|flagged (?:by|for) (?:our )?moderation"
    r"|requires moderation|violat\w+ our (?:usage|content) polic",
    re.IGNORECASE,
)


def failure_of(
    status: int, headers: Mapping[str, str], content: bytes, now: datetime | None = None
) -> CallFailure:
    """Return what an answer with this status means; `headers` is case-insensitive or lower-case.

    The body may be anything: JSON of any vendor, HTML, nothing.
    """
    now = now or datetime.now(UTC)
    error = _error_object(content)
    kind = _kind(status, error)
    waiting = retry_after_s(headers, now)
    if waiting is None and kind == "rate_limited":
        waiting = _google_delay(error)
    return CallFailure(
        kind=kind,
        detail=f"HTTP {status}: {error.message}"[:SHOWN] if error.message else f"HTTP {status}",
        status=status,
        retry_after_s=waiting,
        limits=limit_hints(headers, now),
    )


def error_inside_ok(answer: Mapping[str, Any]) -> CallFailure | None:
    """Return the failure of an answer that says 200 and carries an ``error`` all the same."""
    if not answer.get("error"):
        return None
    error = _Error.of(answer)
    status = error.status if error.status is not None and 400 <= error.status <= 599 else None
    if status is None:
        kind = _kind(400, error)
        status, kind = 200, "bad_response" if kind == "permanent" else kind
    else:
        kind = _kind(status, error)
    return CallFailure(kind, f"The answer is an error: {error.message}"[:SHOWN], status=status)


class _Error:
    """The parts of a vendor's error body that tell kinds apart."""

    def __init__(self, codes: set[str], message: str, status: int | None, details: Any) -> None:
        self.codes = codes
        self.message = message
        self.status = status
        self.details = details

    @staticmethod
    def of(body: Any) -> "_Error":
        """Read ``{"error": {...}}``, ``{"error": "text"}``, ``{"message": ...}``, ``[{...}]``."""
        if isinstance(body, list) and body:
            body = body[0]
        if not isinstance(body, Mapping):
            return _Error(set(), "", None, None)
        inner = body.get("error")
        if isinstance(inner, str):
            inner = {"message": inner, **{key: body.get(key) for key in ("code", "type")}}
        if not isinstance(inner, Mapping):
            inner = body
        nested = inner.get("innererror")
        values = [inner.get(key) for key in ("code", "type", "status")]
        values += [nested.get("code")] if isinstance(nested, Mapping) else []
        codes = {value.lower() for value in values if isinstance(value, str)}
        message = inner.get("message") or inner.get("detail") or body.get("message") or ""
        code = str(inner.get("code"))
        status = int(code) if code.isdecimal() and len(code) == 3 else None
        return _Error(codes, _clean(message), status, inner.get("details"))


def _error_object(content: bytes) -> _Error:
    try:
        return _Error.of(orjson.loads(content))
    except orjson.JSONDecodeError:
        text = content[: 4 * SHOWN].decode("utf-8", "replace")
        return _Error(set(), _clean(text), None, None)


def _kind(status: int, error: _Error) -> FailureKind:
    if 300 <= status < 400:
        return "redirect"
    if status >= 500 or status in _OVERLOADED:
        return "overloaded"
    if _is_quota(status, error):
        return "quota"
    if status == 429:
        return "rate_limited"
    if error.codes & _FILTER_CODES or _FILTER_WORDS.search(error.message):
        return "refused"
    if status == 413 or error.codes & _CONTEXT_CODES or _CONTEXT_WORDS.search(error.message):
        return "context_overflow"
    return "permanent"


def _is_quota(status: int, error: _Error) -> bool:
    if status == 402 or error.codes & _QUOTA_CODES:
        return True
    if "resource_exhausted" in error.codes or "rate_limit_exceeded" in error.codes:
        return False
    return bool(_QUOTA_WORDS.search(error.message))


def _google_delay(error: _Error) -> float | None:
    for item in error.details if isinstance(error.details, list) else ():
        if isinstance(item, Mapping) and isinstance(item.get("retryDelay"), str):
            return span_s(item["retryDelay"])
    return None


def _clean(message: Any) -> str:
    try:
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
    except TypeError:  # nested too deeply to be a message
        text = ""
    return " ".join(text.replace("\x00", "").split())[:SHOWN]
