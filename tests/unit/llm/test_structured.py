"""What an endpoint is asked for, and how its text is read."""

from typing import Any

import pytest

from shared.domain.model_call import CallFailure, Reply, Usage
from shared.llm.abilities import UNKNOWN, Abilities
from shared.llm.strict_subset import sendable_schema
from shared.llm.structured import (
    Parsed,
    Problem,
    choose_rung,
    compile_validator,
    lower_rung,
    parse_structured,
    read_structured,
    repair_messages,
    response_format,
    schema_instructions,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
FITS = compile_validator(SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        ' \n{"a": 1}\n',
    ],
)
def test_a_clean_answer_is_not_called_repaired(text: str):
    assert parse_structured(text, FITS) == Parsed({"a": 1})


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```',
        'Sure!\n```JSON\r\n{"a": 1}\n```\nAnything else?',
        '{"a": 1}\n\nI hope this helps.',
        'The answer is {"a": 1}.',
        '\ufeff{"a": 1}',
        '<think>maybe {"a": 7}?</think>\n{"a": 1}',
        'First a draft {"b": 2}, then {"a": 1}',
        'braces { that } are no JSON, but {"a": 1} is',
        '```json\n{"a": "no"}\n```\n```json\n{"a": 1}\n```',
    ],
)
def test_what_surrounds_the_json_is_taken_away(text: str):
    assert parse_structured(text, FITS) == Parsed({"a": 1}, repaired=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the answer is empty"),
        (" \ufeff ", "the answer is empty"),
        ("I cannot say.", "not JSON"),
        ('{"a": 1', "not JSON"),
        ('{"a": "x"}', 'at /a: "x" is not of type "integer"'),
        ('{"b": 1}', "at /: "),
        ("[1, 2]", "at /: "),
        ("NaN", "not JSON"),
        ('Here: {"a": "x"}', "at /a: "),
        ('{"a": "\\ud800"}', "not JSON"),
    ],
)
def test_what_is_wrong_is_told_in_words(text: str, told: str):
    problem = parse_structured(text, FITS)

    assert isinstance(problem, Problem)
    assert problem.detail.startswith(told)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "{" * 200_000, '{"a":' * 50_000, "```json\n" * 5_000]
)
def test_hostile_nesting_is_a_problem_like_any_other(text: str):
    assert isinstance(parse_structured(text, FITS), Problem)


def test_a_long_wrong_value_is_clipped_in_the_problem():
    problem = parse_structured('{"a": "' + "x" * 100_000 + '"}', FITS)

    assert isinstance(problem, Problem)
    assert len(problem.detail) <= 500


def test_a_text_that_does_not_fit_keeps_what_it_cost_and_its_raw_text():
    reply = Reply("oops", (), "stop", None, Usage(10, 2), "m", 5)

    failure = read_structured(reply, FITS)

    assert isinstance(failure, CallFailure)
    assert (failure.kind, failure.raw, failure.usage) == ("bad_output", "oops", Usage(10, 2))


def test_a_failed_call_stays_the_failure_it_was():
    truncated = CallFailure("truncated", "cut", raw='{"a": 1}')

    assert read_structured(truncated, FITS) is truncated


def test_the_repair_shows_the_answer_and_the_error_and_neither_grows():
    messages = repair_messages("y" * 50_000, "z" * 50_000)

    assert [message["role"] for message in messages] == ["assistant", "user"]
    assert "yyy" in messages[0]["content"]
    assert "zzz" in messages[1]["content"]
    assert sum(len(message["content"]) for message in messages) < 6_000


def test_the_ladder_goes_from_strict_to_prompt_only():
    assert choose_rung(UNKNOWN, SCHEMA) == "json_schema"
    assert choose_rung(Abilities(json_schema=True), SCHEMA) == "json_schema"
    assert choose_rung(Abilities(json_schema=False), SCHEMA) == "json_object"
    assert choose_rung(Abilities(json_schema=False, json_object=False), SCHEMA) == "prompt"
    assert choose_rung(UNKNOWN, {"type": "object"}) == "json_object"


def test_an_endpoint_that_refuses_a_form_is_asked_for_the_next_one():
    refused = CallFailure("permanent", "HTTP 400: 'response_format' is not supported", 400)

    assert lower_rung("json_schema", refused) == "json_object"
    assert lower_rung("json_object", refused) == "prompt"
    assert lower_rung("prompt", refused) is None
    assert lower_rung("json_schema", CallFailure("permanent", "HTTP 401: bad key", 401)) is None
    assert lower_rung("json_schema", CallFailure("overloaded", "response_format", 500)) is None


def test_only_the_lower_rungs_write_the_schema_into_the_prompt():
    assert schema_instructions("json_schema", SCHEMA) == ""
    for rung in ("json_object", "prompt"):
        text = schema_instructions(rung, SCHEMA)  # type: ignore[arg-type]
        assert "JSON" in text
        assert '"integer"' in text


def test_the_request_names_the_form_of_its_rung():
    strict = response_format("json_schema", SCHEMA)

    assert strict is not None
    assert strict["json_schema"]["strict"] is True
    assert response_format("json_object", SCHEMA) == {"type": "json_object"}
    assert response_format("prompt", SCHEMA) is None
    with pytest.raises(ValueError, match="strict"):
        response_format("json_schema", {"type": "object"})


def test_what_only_narrows_is_not_sent_but_still_checked():
    schema = {
        "type": "object",
        "properties": {
            "word": {"type": "string", "minLength": 3, "default": "abc"},
            "when": {"type": "string", "format": "iri"},
            "parts": {"type": "array", "items": {"type": "object", "properties": {"x": SCHEMA}}},
        },
    }

    sent = sendable_schema(schema)

    assert sent is not None
    assert sent["properties"]["word"] == {"type": "string"}
    assert sent["properties"]["when"] == {"type": "string"}
    assert sent["additionalProperties"] is False
    assert sent["required"] == ["word", "when", "parts"]
    assert sent["properties"]["parts"]["items"]["required"] == ["x"]
    assert compile_validator(schema)({"word": "a"}) is not None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {"a": {"allOf": [{"type": "string"}]}}},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": {"not": {"type": "string"}}}},
    ],
)
def test_a_schema_strict_mode_has_no_words_for_is_not_sent(schema: dict[str, Any]):
    assert sendable_schema(schema) is None


def test_a_validator_looks_nothing_up():
    with pytest.raises(Exception, match="may not refer"):
        compile_validator({"$ref": "http://127.0.0.1:9/schema.json"})
