"""HTTP errors of several vendors become the right kind."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.model_call import FAILURE_KINDS, CallFailure
from shared.llm.failures import error_inside_ok, failure_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _error(**told: Any) -> dict[str, Any]:
    return {"error": told}


GEMINI_RATE = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}],
        }
    }
]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, _error(message="Rate limit reached", code="rate_limit_exceeded"), "rate_limited"),
        (429, GEMINI_RATE, "rate_limited"),
        (429, "slow down", "rate_limited"),
        (429, _error(message="x", code="insufficient_quota"), "quota"),
        (429, _error(message="x", type="exceeded_current_quota_error"), "quota"),
        (429, _error(message="x", code="billing_hard_limit_reached"), "quota"),
        (402, _error(message="Insufficient Balance"), "quota"),
        (400, _error(message="Your credit balance is too low to access the API"), "quota"),
        (403, _error(message="x", code="insufficient_quota"), "quota"),
        (500, "<html>", "overloaded"),
        (529, _error(type="overloaded_error", message="Overloaded"), "overloaded"),
        (408, "", "overloaded"),
        (409, "", "overloaded"),
        (425, "", "overloaded"),
        (503, _error(message="insufficient_quota"), "overloaded"),
        (400, _error(message="Invalid value"), "permanent"),
        (401, _error(message="Incorrect API key", code="invalid_api_key"), "permanent"),
        (403, "forbidden", "permanent"),
        (404, _error(message="no such model", code="model_not_found"), "permanent"),
        (405, "", "permanent"),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "permanent"),
        (400, _error(code="context_length_exceeded", message="x"), "context_overflow"),
        (400, _error(message="prompt is too long: 210000 tokens > 200000"), "context_overflow"),
        (
            400,
            {"object": "error", "message": "This model's maximum context length is 4096 tokens."},
            "context_overflow",
        ),
        (
            400,
            _error(
                code=400,
                message="the request exceeds the available context size, try increasing it",
                type="exceed_context_size_error",
            ),
            "context_overflow",
        ),
        (
            400,
            _error(
                message="The input token count (9) exceeds the maximum number of tokens allowed (5)"
            ),
            "context_overflow",
        ),
        (413, _error(type="request_too_large", message="x"), "context_overflow"),
        (
            400,
            _error(
                code="content_filter",
                message="filtered",
                innererror={"code": "ResponsibleAIPolicyViolation"},
            ),
            "refused",
        ),
        (400, _error(code="data_inspection_failed", message="x"), "refused"),
        (403, _error(message="Your input requires moderation"), "refused"),
        (302, "", "redirect"),
        (307, "", "redirect"),
    ],
)
def test_each_error_of_a_vendor_is_of_its_kind(status: int, body: Any, kind: str):
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()

    found = failure_of(status, {}, content, NOW)

    assert (found.kind, found.status) == (kind, status)
    assert found.kind in FAILURE_KINDS


def test_the_delay_in_a_body_counts_where_no_header_tells_one():
    found = failure_of(429, {}, json.dumps(GEMINI_RATE).encode(), NOW)

    assert found.retry_after_s == 34


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[" * 100_000, b"\xff\xfe", b"null", b"[]", b'{"error": null}', b'{"error": 7}',
        b'{"error": {"code": "\xc2\xb2", "message": {"a": 1}}}', b'{"message": ["a"]}',
        b'{"error": {"message": ' + b"[" * 900 + b"]" * 900 + b"}}", b"x" * 100_000,
    ],
)  # fmt: skip
def test_whatever_a_body_holds_the_status_decides(content: bytes):
    found = failure_of(400, {}, content, NOW)

    assert found.kind == "permanent"
    assert len(found.detail) <= 500


def test_whom_a_failure_concerns_follows_from_its_kind():
    assert CallFailure("quota", "").scope == "job"
    assert CallFailure("rate_limited", "").scope == "endpoint"
    assert CallFailure("permanent", "", status=401).scope == "endpoint"
    assert CallFailure("permanent", "", status=400).scope == "unit"
    assert CallFailure("truncated", "").scope == "unit"


def test_limits_and_quota_burn_no_attempt():
    unburnt = {kind for kind in FAILURE_KINDS if not CallFailure(kind, "").burns_attempt}  # type: ignore[arg-type]

    assert unburnt == {"rate_limited", "quota", "overloaded"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "busy", "code": 502}, "overloaded"),
        ({"message": "slow down", "code": 429}, "rate_limited"),
        ({"message": "no credits", "code": 402}, "quota"),
        ({"message": "odd"}, "bad_response"),
        ("odd", "bad_response"),
        ({"code": "context_length_exceeded", "message": "x"}, "context_overflow"),
    ],
)
def test_an_error_inside_a_200_is_read_by_its_own_code(error: Any, kind: str):
    found = error_inside_ok({"error": error})

    assert found is not None
    assert found.kind == kind


def test_an_answer_without_an_error_is_none():
    assert error_inside_ok({"choices": []}) is None
    assert error_inside_ok({"error": None}) is None
