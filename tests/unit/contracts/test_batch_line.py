"""Lines of batch files: what can be run, what cannot and why, and that no byte is lost."""

import json
from typing import Any

import pytest

from shared.contracts.batch_line import is_blank, read_line

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}
LINE = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": BODY}


def line(**changes: Any) -> str:
    return json.dumps({**LINE, **changes}) + "\n"


def code(text: str) -> tuple[str, str | None]:
    problem = read_line(text).problem
    assert problem is not None, text
    return problem.code, problem.param


@pytest.mark.parametrize(
    "text",
    [
        line(),
        line().replace(": ", " :\t").rstrip("\n"),
        "\ufeff  " + line(),
        json.dumps({"body": BODY, "url": LINE["url"], "custom_id": "a", "method": "POST"}) + "\r\n",
        line(body={**BODY, "temperature": 0.10000000000000001, "note": 'a "body": {} \\u00e4 ä'}),
        line(extra={"body": {"model": "other"}}),
    ],
)
def test_a_line_is_cut_without_losing_a_character(text: str) -> None:
    found = read_line(text)

    assert found.problem is None
    assert (found.custom_id, found.model) == ("a", "small")
    assert found.body is not None
    assert found.before + found.body + found.after == text
    assert json.loads(found.body) == json.loads(text.removeprefix("\ufeff"))["body"]


def test_numbers_of_a_body_are_not_rounded() -> None:
    written = '{"model": "small", "messages": [{}], "seed": 123456789012345678901, "top_p": 1e-400}'
    text = line().replace(json.dumps(BODY), written)

    assert read_line(text).body == written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", ("invalid_json_line", None)),
        ("[]", ("invalid_json_line", None)),
        ('"text"', ("invalid_json_line", None)),
        (line()[:-2] + ", NaN}", ("invalid_json_line", None)),
        (line().replace("{", '{"custom_id": "b", ', 1), ("invalid_json_line", None)),
        (line(custom_id=None), ("missing_required_parameter", "custom_id")),
        (line(custom_id=7), ("invalid_custom_id", "custom_id")),
        (line(custom_id=""), ("invalid_custom_id", "custom_id")),
        (line(custom_id="x" * 513), ("invalid_custom_id", "custom_id")),
        (line(custom_id="a\0"), ("invalid_custom_id", "custom_id")),
        (line(method=None), ("missing_required_parameter", "method")),
        (line(method="GET"), ("invalid_method", "method")),
        (line(url="/v1/embeddings"), ("invalid_url", "url")),
        (line(body=None), ("missing_required_parameter", "body")),
        (line(body=[]), ("invalid_request", "body")),
        (line(body={"messages": [{}]}), ("missing_required_parameter", "body.model")),
        (line(body={**BODY, "messages": []}), ("invalid_request", "body.messages")),
        (line(body={**BODY, "messages": ["Hi"]}), ("invalid_request", "body.messages")),
        (line(body={**BODY, "stream": True}), ("invalid_request", "body.stream")),
    ],
)
def test_a_line_that_cannot_be_run_says_why(text: str, expected: tuple[str, str | None]) -> None:
    assert code(text) == expected
    assert read_line(text).before == text


def test_a_line_nested_without_end_is_a_problem_and_no_crash() -> None:
    deep = "[" * 1_000 + "]" * 1_000
    text = line().replace('"Hi"', deep)

    assert code(text) == ("invalid_json_line", None)


@pytest.mark.parametrize(("text", "blank"), [("\n", True), (" \r\n", True), ("0\n", False)])
def test_a_blank_line_asks_for_nothing(text: str, blank: bool) -> None:
    assert is_blank(text) is blank
