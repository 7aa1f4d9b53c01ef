"""With `require_ok` an answer that is no completion fails its unit, and is kept."""

import json
from typing import Any

import pytest

from services.worker.capabilities.chat_answer import AnswerNotOk, require_completion

COMPLETION = {"id": "x", "choices": []}


def answer(status: int, body: Any) -> dict[str, Any]:
    return {"status_code": status, "request_id": "req-1", "body": body}


def refused(status: int, body: Any) -> AnswerNotOk:
    with pytest.raises(AnswerNotOk) as found:
        require_completion(answer(status, body))
    assert json.loads(found.value.raw) == answer(status, body)
    return found.value


def test_a_completion_passes() -> None:
    require_completion(answer(200, COMPLETION))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "answer_not_ok"),
        (413, "answer_not_ok"),
        (422, "answer_not_ok"),
        (401, "permanent"),
        (403, "permanent"),
        (404, "permanent"),
    ],
)
def test_an_error_fails_and_tells_whose_fault_it_may_be(status: int, code: str) -> None:
    error = refused(status, {"error": {"message": "No such thing.", "code": None}})

    assert (error.code, error.transient) == (code, False)
    assert str(error) == f"HTTP {status}: No such thing."


@pytest.mark.parametrize("body", ["<html>", {"error": {"message": "busy"}}, [], None])
def test_what_says_it_is_fine_and_is_no_completion_is_tried_again(body: Any) -> None:
    error = refused(200, body)

    assert (error.code, error.transient) == ("bad_response", True)
