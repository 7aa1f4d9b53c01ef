"""What a capability returned is checked against its stage before it is kept."""

import math
from typing import Any

import pytest

from services.worker.output_rows import output_rows
from shared.capabilities.contract import Unit
from shared.domain.columns import Column
from shared.domain.plan import UnitSpec
from shared.domain.retry import Failure
from shared.domain.stage import Kept
from tests.unit.worker.stage_runs import stage_run

UNIT = Unit(index=0, rows=[{"id": 1, "team": "red"}])
LARGE = 1_000_000


def checked(returned: Any, run: Any = None, unit: Unit = UNIT, most: int = LARGE) -> Any:
    return output_rows(run or stage_run(), unit, returned, most)


def code_of(returned: Any, run: Any = None, most: int = LARGE) -> tuple[str, str]:
    found = checked(returned, run, most=most)
    assert isinstance(found, Failure), found
    assert not found.transient
    return found.outcome, found.code


def test_a_row_that_fits_is_kept_as_it_is() -> None:
    assert checked({"word": "x"}) == [{"word": "x"}]
    assert checked([{"word": None}]) == [{"word": None}]


@pytest.mark.parametrize("returned", [None, 7, "text", [7], [None], [["word"]], {1, 2}])
def test_what_is_neither_an_object_nor_objects_is_invalid(returned: Any) -> None:
    assert code_of(returned) == ("invalid", "schema_mismatch")


@pytest.mark.parametrize("row", [{}, {"word": 7}, {"word": "x", "more": 1}, {"other": "x"}])
def test_a_row_that_breaks_the_schema_is_invalid(row: dict[str, Any]) -> None:
    assert code_of(row) == ("invalid", "schema_mismatch")


@pytest.mark.parametrize("rows", [[], [{"word": "a"}, {"word": "b"}]])
def test_a_stage_that_emits_one_row_takes_exactly_one(rows: list[Any]) -> None:
    assert code_of(rows) == ("invalid", "not_one_row")
    assert checked(rows, stage_run(emit="many")) == rows


def test_one_bad_row_among_many_makes_the_unit_invalid() -> None:
    run = stage_run(emit="many")
    assert code_of([{"word": "a"}, {"word": 7}], run) == ("invalid", "schema_mismatch")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ({}, {"deep": {"x": "\x00"}}),
        ({}, ["\ud800"]),
        ({"type": "number"}, math.nan),
        ({"type": "number"}, math.inf),
        ({"type": "string"}, "a\x00b"),
        ({}, {"x": math.nan}),
    ],
)
def test_what_postgres_cannot_keep_is_invalid(kind: dict[str, Any], value: Any) -> None:
    outcome, _ = code_of({"v": value}, stage_run({"v": kind}))
    assert outcome == "invalid"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ({"type": "integer"}, 2**63),
        ({"type": ["integer", "null"]}, -(2**63) - 1),
        ({"type": "string", "format": "date"}, "2026-02-30"),
        ({"type": "string", "format": "date-time"}, "yesterday"),
    ],
)
def test_a_value_its_column_cannot_hold_is_invalid(kind: dict[str, Any], value: Any) -> None:
    assert code_of({"v": value}, stage_run({"v": kind})) == ("invalid", "schema_mismatch")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ({"type": "integer"}, 2**63 - 1),
        ({"type": ["integer", "null"]}, None),
        ({"type": "number"}, 3),
        ({"type": "boolean"}, False),
        ({"type": "string", "format": "date"}, "2026-02-28"),
        ({}, {"any": [1, "two", None]}),
    ],
)
def test_a_value_its_column_can_hold_is_kept(kind: dict[str, Any], value: Any) -> None:
    assert checked({"v": value}, stage_run({"v": kind})) == [{"v": value}]


def test_an_output_that_is_too_large_fails() -> None:
    assert code_of({"word": "x" * 100}, most=50) == ("failed", "output_too_large")


def test_what_is_kept_stands_before_the_output_of_every_row() -> None:
    run = stage_run(emit="many", kept=(Kept("team", "value"), Kept("id", "value")))
    rows = checked([{"word": "a"}, {"word": "b"}], run)
    assert rows == [
        {"team": "red", "id": 1, "word": "a"},
        {"team": "red", "id": 1, "word": "b"},
    ]


def test_a_group_keeps_its_key_as_a_value_and_the_rest_as_lists() -> None:
    run = stage_run(
        unit=UnitSpec("group", group_by=("team",)),
        kept=(Kept("team", "value"), Kept("id", "list")),
        kept_columns=(Column("team", "string"), Column("id", "json")),
    )
    group = Unit(
        index=0, rows=[{"id": 1, "team": None}, {"id": 2, "team": None}], key={"team": None}
    )
    assert checked({"word": "a"}, run, group) == [{"team": None, "id": [1, 2], "word": "a"}]
