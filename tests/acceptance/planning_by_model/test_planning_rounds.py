"""Later rounds are planned from what the former came to, and end when they only repeat it."""

from collections import Counter
from typing import Any

import pytest

from tests.acceptance.planning import (
    TICKETS,
    job,
    plan_of,
    planning_calls,
    working_calls,
)
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

GOAL = "Answer the tickets in several rounds."
REFUSED, WRONG = "refusal*1", "schema*3"  # the first time only: an answer and its two repairs


def tickets_with(faults: list[str], series: int) -> list[dict[str, Any]]:
    """The tickets; every sixth makes the model fail as told. Faults are counted by marker."""
    rows = []
    for row in TICKETS:
        no, sixth = divmod(int(row["id"]), 6)
        fault = f" FAULT:{faults[no]}" if not sixth and no < len(faults) else ""
        rows.append({**row, "text": f"marker-{series}{row['id']:03} is not well{fault}"})
    return rows


@pytest.mark.parametrize(
    ("faults", "largest", "told"),
    [
        ([REFUSED] * 4 + [WRONG], "refused", "5 rows failed, 4 of them as refused."),
        ([REFUSED, REFUSED, WRONG, WRONG, WRONG], "bad_output", "5 rows failed, 3 of them as"),
        ([REFUSED], "refused", "1 rows failed, 1 of them as refused."),
    ],
)
def test_a_second_round_does_again_what_the_first_left_undone(
    stack: Stack, model: FakeModel, faults: list[str], largest: str, told: str
) -> None:
    # when
    rows = tickets_with(faults, series=len(faults) + len(largest))
    ended = stack.wait(stack.submit(job(GOAL, rows, policy={"min_success": 0.8})))

    # then the second plan follows the coverage and the largest cluster of failures
    assert ended["status"] == "succeeded", ended
    assert ended["plan"]["version"] == 2
    missing, again, together = plan_of(stack, ended["id"])["plan"]["stages"]
    assert missing["over"] == ["tickets", "answers"]
    assert again["name"] == f"after_{largest}"
    assert again["template"]["instructions"].startswith(told)
    assert together["over"] == ["answers", again["name"]]

    # and only what failed was done again, so that every row has its answer once
    stages = ended["coverage"]["stages"]
    assert (stages["answers"]["units"], stages["answers"]["failed"]) == (30, len(faults))
    assert (stages[again["name"]]["units"], stages[again["name"]]["succeeded"]) == (
        len(faults), len(faults),
    )  # fmt: skip
    results = stack.results(ended["id"])
    assert Counter(row["id"] for row in results) == Counter(range(30))
    read = Counter(call.own_markers[0] for call in working_calls(model) if call.fault is None)
    assert set(read.values()) == {1}
    assert len(planning_calls(model)) == 2

    # and the first plan is kept, with its result no longer the job's
    first = stack.get(f"/v1/jobs/{ended['id']}/plan?version=1").json
    assert first["plan"]["then"] == "replan"
    of_job = stack.get(f"/v1/jobs/{ended['id']}/stages").json["items"]
    assert [one["name"] for one in of_job if one["is_result"]] == ["all_answers"]


def test_where_nothing_failed_the_second_round_is_another_one(
    stack: Stack, model: FakeModel
) -> None:
    ended = stack.wait(stack.submit(job(GOAL)))
    assert ended["status"] == "succeeded", ended
    [stage] = plan_of(stack, ended["id"])["plan"]["stages"]
    assert (stage["name"], stage["over"]) == ("second_look", "answers")
    assert {tuple(row) for row in stack.results(ended["id"])} == {("id", "second_answer")}
    assert len(planning_calls(model)) == 2


def test_rounds_with_the_schema_only_send_no_row_either(stack: Stack, model: FakeModel) -> None:
    policy = {"min_success": 0.8, "planner_sees": "schema"}
    rows = tickets_with([REFUSED] * 3, series=5)
    ended = stack.wait(stack.submit(job(GOAL, rows, policy=policy)))
    assert ended["status"] == "succeeded", ended
    assert len(stack.results(ended["id"])) == 30
    assert [call.markers for call in planning_calls(model)] == [[], []]


@pytest.mark.parametrize(("on_shortfall", "status"), [("partial", "partial"), ("failed", "failed")])
def test_a_planner_that_repeats_itself_ends_the_job_stalled(
    stack: Stack, model: FakeModel, on_shortfall: str, status: str
) -> None:
    goal = "This planner repeats itself over the tickets."
    ended = stack.wait(stack.submit(job(goal, policy={"on_shortfall": on_shortfall})))
    assert (ended["status"], ended["error"]["code"]) == (status, "stalled")
    assert len(planning_calls(model)) == 2
    assert len(stack.results(ended["id"])) == len(TICKETS)


def test_rounds_end_at_the_most_the_policy_allows(stack: Stack, model: FakeModel) -> None:
    ended = stack.wait(stack.submit(job(GOAL, policy={"max_rounds": 1})))
    assert ended["status"] == "succeeded", ended
    assert len(planning_calls(model)) == 1
