"""What the linter finds goes back to the planner, all at once and a bounded number of times."""

import pytest

from tests.acceptance.planning import job, planned, planning_calls
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

FIVE = [
    "unknown_capability", "unknown_column", "unknown_placeholder", "unknown_table", "unused_stage",
]  # fmt: skip


def test_five_findings_go_back_in_one_turn_and_a_good_plan_comes(
    stack: Stack, model: FakeModel
) -> None:
    # given a planner that mends what it is told of, and nothing else
    job_id = stack.submit(job("At first a broken plan for the tickets, please."))

    # then the second request held all five codes, and its plan may run
    shown = planned(stack, job_id)
    assert [call.findings for call in planning_calls(model)] == [[], FIVE]
    assert [one for one in shown["findings"] if one["severity"] == "error"] == []
    assert stack.wait(job_id)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("goal", "codes"),
    [
        ("There is never a good plan for the tickets.", FIVE),
        ("Answer with no json at all.", ["invalid"]),
    ],
)
def test_a_planner_that_does_not_learn_ends_the_job_with_the_findings(
    stack: Stack, model: FakeModel, goal: str, codes: list[str]
) -> None:
    ended = stack.wait(stack.submit(job(goal)))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "plan_invalid")
    assert sorted({finding["code"] for finding in ended["error"]["findings"]}) == codes

    # the first plan, and three turns in which the findings went back
    assert [call.findings for call in planning_calls(model)] == [[], codes, codes, codes]
    assert ended["usage"]["calls"] == 4
    assert stack.scalar("SELECT count(*) FROM plans WHERE job_id = %s", ended["id"]) == 0
