"""Which stages work while records come, and what the linter says of the others."""

from dataclasses import replace
from typing import Any

import pytest

from shared.plans.facts import PlanFacts
from shared.plans.lint import lint, refuses
from shared.plans.streaming import open_inputs, works_while_open
from tests.unit.plans.plan_facts import PLAY, TICKETS, facts, plan, stage

OPEN: PlanFacts = facts(tables={"tickets": replace(TICKETS, rows=None, distinct={}), "play": PLAY})
SUMMARY = {"capability": "summarize", "params": {"field": "text"}}
COUNT = {
    "unit": {"table": True},
    "capability": "sql",
    "params": {"query": "SELECT count(*) AS n FROM tickets"},
}


def works(**changes: Any) -> bool:
    return works_while_open(plan(stage(**changes)).stages[0], OPEN)


def test_only_a_table_that_rows_may_be_appended_to_is_open() -> None:
    assert open_inputs(OPEN) == {"tickets"}


def test_single_rows_of_an_open_table_are_worked_as_they_come() -> None:
    assert works()
    assert not works(over="play")


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": {"rows": 5}, **SUMMARY},
        {"unit": {"rows": 1, "overlap": 1}},
        {"unit": {"group_by": ["status"]}, **SUMMARY},
        {"unit": {"table": True}, **SUMMARY},
        COUNT,
    ],
    ids=["several rows", "overlap", "groups", "whole table", "sql"],
)
def test_what_the_next_record_could_change_waits_for_the_end_and_is_told(
    changes: dict[str, Any],
) -> None:
    assert not works(**changes)
    findings = lint(plan(stage(**changes)), OPEN)
    assert not refuses(findings), findings
    assert ("waits_for_end", "/stages/0/unit") in [(one.code, one.pointer) for one in findings]


def test_a_stage_that_works_at_once_and_one_over_it_get_no_warning() -> None:
    later = stage(name="later", over="redacted", unit={"table": True}, **SUMMARY)
    assert "waits_for_end" not in [one.code for one in lint(plan(stage(), later), OPEN)]
    assert not works_while_open(plan(stage(), later).stages[1], OPEN)
