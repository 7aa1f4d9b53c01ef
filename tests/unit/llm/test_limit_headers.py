"""Retry and rate-limit headers as vendors write them."""

from datetime import UTC, datetime

import pytest

from shared.domain.model_call import LimitHints
from shared.llm.limit_headers import limit_hints, retry_after_s, span_s

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "1e9"}, 86_400),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:35 GMT"}, 30),
        ({"retry-after": "Fri, 02 Jan 2026 03:00:00 GMT"}, 0),
        ({"retry-after": "Fri, 99 Jan 2026 03:00:00 GMT"}, None),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], seconds: float | None):
    assert retry_after_s(headers, NOW) == seconds


def test_a_date_is_measured_by_the_servers_own_clock():
    headers = {
        "retry-after": "Fri, 02 Jan 2026 05:00:10 GMT",
        "date": "Fri, 02 Jan 2026 05:00:00 GMT",  # two hours ahead of ours
    }

    assert retry_after_s(headers, NOW) == 10


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1), ("6m0s", 360), ("17ms", 0.017), ("2m59.56s", 179.56), ("1h2m3s", 3723),
        ("12", 12), ("", None), (None, None), ("later", None), ("5 parsecs", None), ("1s!", None),
    ],
)  # fmt: skip
def test_spans_of_time(text: str | None, seconds: float | None):
    assert span_s(text) == (None if seconds is None else pytest.approx(seconds))


def test_the_headers_of_openai():
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m0s",
    }

    assert limit_hints(headers, NOW) == LimitHints(500, 499, 0.12, 30_000, 0, 60.0)


def test_the_headers_of_anthropic():
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-01-02T03:04:35Z",
        "anthropic-ratelimit-input-tokens-limit": "20000",
        "anthropic-ratelimit-output-tokens-remaining": "7",
    }

    hints = limit_hints(headers, NOW)

    assert hints is not None
    assert (hints.requests_limit, hints.requests_reset_s) == (50, 30.0)
    assert (hints.input_tokens_limit, hints.output_tokens_remaining) == (20_000, 7)


def test_headers_that_say_nothing_give_nothing():
    assert limit_hints({"content-type": "application/json"}, NOW) is None
