from typing import Any

import pytest

from services.planner.engines import NotPlanned, Planned, direct
from tests.unit.planner.planning_tasks import TEXT, task
from tests.unit.plans.plan_facts import TICKETS


def document(**given: Any) -> dict[str, Any]:
    """The plan of a task, which must pass its own check."""
    asked = task(**given)
    came = direct.plan(asked)
    assert isinstance(came, Planned)
    checked = asked.check(came.document)
    assert checked.plan is not None, checked.findings
    return came.document


def test_a_goal_alone_becomes_one_stage_over_one_row() -> None:
    plan = document(tables={}, goal="Write a poem.")
    [stage] = plan["stages"]
    assert "Write a poem." in stage["template"]["instructions"]
    assert [len(rows) for rows in plan["tables"].values()] == [1]


def test_a_text_is_read_where_it_lies() -> None:
    plan = document(tables={"letter": TEXT}, texts=("letter",))
    [stage] = plan["stages"]
    assert (stage["over"], stage["template"]["input"]) == ("letter", "{{ text }}")
    assert plan["tables"] == {}


def test_several_texts_go_into_one_call_under_their_names() -> None:
    tables = {"theirs": TEXT, "ours": TEXT}
    [stage] = document(tables=tables, texts=("theirs", "ours"))["stages"]
    assert "{{ theirs.text }}" in stage["template"]["input"]
    assert stage["over"] == "ours"


@pytest.mark.parametrize("goal", ["Fill in {{ name }}.", "What does {{ mean?", "{{ other.text }}"])
def test_a_goal_with_braces_is_taken_as_it_is(goal: str) -> None:
    plan = document(tables={}, goal=goal)
    assert plan["brief"].endswith(goal)
    assert "{{" not in plan["stages"][0]["template"]["instructions"]


def test_the_jobs_output_is_the_calls_output() -> None:
    wanted = {"type": "object", "properties": {"poem": {"type": "string"}}}
    assert document(tables={}, output=wanted)["stages"][0]["output"] == wanted


def test_an_input_that_is_called_like_the_stage_is_no_trouble() -> None:
    assert document(tables={"answer": TEXT}, texts=("answer",))["result"] == {
        "table": "direct_answer"
    }


def test_a_table_is_refused() -> None:
    came = direct.plan(task(tables={"tickets": TICKETS}))
    assert isinstance(came, NotPlanned)
    assert came.code == "direct_needs_text"
    assert "tickets" in came.detail
