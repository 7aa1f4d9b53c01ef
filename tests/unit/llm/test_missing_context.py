"""The form in which a model may say that its unit needs other rows."""

from typing import Any

import pytest

from shared.contracts.output_schema import strict_schema
from shared.llm.abilities import UNKNOWN
from shared.llm.missing_context import (
    SHOWN,
    answer_or_missing,
    may_ask,
    missing_context,
    with_missing_context,
)
from shared.llm.packed import packed_schema
from shared.llm.structured import choose_rung, compile_validator

OUTPUT = strict_schema({"type": "object", "properties": {"label": {"type": "string"}}})
WITH_DEFS = strict_schema(
    {
        "type": "object",
        "properties": {"label": {"$ref": "#/$defs/label"}},
        "$defs": {"label": {"type": "string", "enum": ["a", "b"]}},
    }
)
check = answer_or_missing(compile_validator(OUTPUT))


@pytest.mark.parametrize("output", [OUTPUT, WITH_DEFS])
@pytest.mark.parametrize("form", [with_missing_context, lambda o: packed_schema(o)])
def test_it_can_be_asked_for_in_strict_mode_and_definitions_are_found(
    output: dict[str, Any], form: Any
) -> None:
    schema = form(output)
    assert choose_rung(UNKNOWN, schema) == "json_schema"
    compile_validator(schema)  # raises for a reference that leads nowhere
    assert schema.get("$defs") == output.get("$defs")


def test_definitions_hold_inside_the_envelope() -> None:
    fits = compile_validator(with_missing_context(WITH_DEFS))
    assert fits({"answer": {"label": "a"}, "missing_context": None}) is None
    assert fits({"answer": {"label": "c"}, "missing_context": None}) is not None
    assert fits({"answer": None, "missing_context": "the thread"}) is None


def test_definitions_hold_inside_a_pack_and_an_envelope() -> None:
    fits = compile_validator(packed_schema(with_missing_context(WITH_DEFS)))

    def item(label: str) -> dict[str, Any]:
        output = {"answer": {"label": label}, "missing_context": None}
        return {"answers": [{"id": "1", "output": output}]}

    assert fits(item("a")) is None
    assert fits(item("c")) is not None


def test_an_answer_beats_a_wish() -> None:
    value = {"answer": {"label": "a"}, "missing_context": "more would be nice"}
    assert check(value) is None
    assert missing_context(value) is None


def test_a_wish_without_an_answer_is_told_in_one_line() -> None:
    value = {"answer": None, "missing_context": "  the other\nrows  "}
    assert check(value) is None
    assert missing_context(value) == "the other rows"
    long = {"answer": None, "missing_context": "x" * 10_000}
    assert missing_context(long) == "x" * SHOWN


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"answer": None, "missing_context": None}, "does not say"),
        ({"answer": None, "missing_context": " \n"}, "does not say"),
        ({"answer": None}, "does not say"),
        ({"answer": {"label": 1}, "missing_context": None}, "in `answer`, at /label"),
        ({"answer": {"label": 1}, "missing_context": "the rest"}, "in `answer`, at /label"),
        ({"label": "a"}, "an object with `answer`"),
        (["answer"], "an object with `answer`"),
    ],
)
def test_what_is_neither_is_told_in_words_a_model_can_act_on(value: Any, says: str) -> None:
    problem = check(value)
    assert problem is not None
    assert says in problem


@pytest.mark.parametrize(
    ("params", "may"),
    [({}, False), ({"may_ask_for_context": False}, False), ({"may_ask_for_context": True}, True)],
)
def test_only_a_stage_that_says_so_may_ask(params: dict[str, Any], may: bool) -> None:
    assert may_ask(params) is may
