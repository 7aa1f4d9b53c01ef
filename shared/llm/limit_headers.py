"""Reads rate-limit and retry headers of several vendors: pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shared.domain.model_call import LimitHints

LONGEST_RETRY_AFTER_S = 86_400.0  # a longer wish is a mistake or malice
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h|d)")
_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds to wait that `Retry-After` or `retry-after-ms` asks for.

    A date is compared with the answer's own `Date` where it has one, since clocks differ.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return _bounded(seconds)
    until = _http_date(text)
    if until is None:
        return None
    return _bounded((until - (_http_date(headers.get("date", "")) or now)).total_seconds())


def limit_hints(headers: Mapping[str, str], now: datetime) -> LimitHints | None:
    """Return what the headers tell about the limits; None when they tell nothing."""
    return _openai(headers) or _anthropic(headers, now)


def span_s(text: str | None) -> float | None:
    """Return the seconds of ``1s``, ``6m0s``, ``17ms`` or a plain number of seconds."""
    if not text:
        return None
    plain = _number(text)
    if plain is not None:
        return _bounded(plain)
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        return None
    return _bounded(sum(float(number) * _UNIT_S[unit] for number, unit in parts))


def _openai(headers: Mapping[str, str]) -> LimitHints | None:
    if not any(f"x-ratelimit-{what}" in headers for what in _OPENAI_SIGNS):
        return None
    return LimitHints(
        requests_limit=_whole(headers.get("x-ratelimit-limit-requests")),
        requests_remaining=_whole(headers.get("x-ratelimit-remaining-requests")),
        requests_reset_s=span_s(headers.get("x-ratelimit-reset-requests")),
        tokens_limit=_whole(headers.get("x-ratelimit-limit-tokens")),
        tokens_remaining=_whole(headers.get("x-ratelimit-remaining-tokens")),
        tokens_reset_s=span_s(headers.get("x-ratelimit-reset-tokens")),
    )


_OPENAI_SIGNS = ("limit-requests", "remaining-requests", "limit-tokens", "remaining-tokens")
_ANTHROPIC = "anthropic-ratelimit-"


def _anthropic(headers: Mapping[str, str], now: datetime) -> LimitHints | None:
    if f"{_ANTHROPIC}requests-limit" not in headers and f"{_ANTHROPIC}tokens-limit" not in headers:
        return None
    told = {
        f"{measure}_{what}": _whole(headers.get(f"{_ANTHROPIC}{measure.replace('_', '-')}-{what}"))
        for measure in ("requests", "tokens", "input_tokens", "output_tokens")
        for what in ("limit", "remaining")
    }
    return LimitHints(
        **told,
        requests_reset_s=_until(headers.get(f"{_ANTHROPIC}requests-reset"), now),
        tokens_reset_s=_until(headers.get(f"{_ANTHROPIC}tokens-reset"), now),
    )


def _until(text: str | None, now: datetime) -> float | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return _bounded((_aware(moment) - now).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        return _aware(parsedate_to_datetime(text))
    except ValueError:
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _number(text: str | None) -> float | None:
    if text is None or len(text) > 30:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if -1e15 < number < 1e15 else None  # refuses nan and inf too


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)
