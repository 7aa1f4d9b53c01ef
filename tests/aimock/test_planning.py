"""One sentence and a table: the plan comes from aimock, and so do the answers to its rows."""

from typing import Any

from tests.aimock.fixtures import calls, fails, says
from tests.aimock.jobs import answer, marker, one_stage, tickets
from tests.aimock.server import Aimock
from tests.eventually import eventually
from tests.stack import Stack

ROWS = 30
PLANNER = "APWA PLAN CONTRACT"
GOAL = "Say what each of the tickets is about."


def goal() -> dict[str, Any]:
    return {"goal": GOAL, "inputs": tickets(ROWS)}


def rows() -> list[dict[str, Any]]:
    return [
        says(answer(number), userMessage=marker(number), responseFormat="json_schema")
        for number in range(ROWS)
    ]


def plan_of(stack: Stack, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stack.get(f"/v1/jobs/{job['id']}/plan").json
    return found


def test_the_planner_looks_submits_corrects_and_its_stage_runs(
    stack: Stack, aimock: Aimock
) -> None:
    # given a model that looks at the table, submits a plan the linter refuses, then a good one
    broken = one_stage(keep=["no_such_column"])
    aimock.add(
        calls("submit_plan", one_stage(), "call_3", toolCallId="call_2",
              toolResultContains="unknown_column"),
        calls("submit_plan", broken, "call_2", toolCallId="call_1", toolResultContains=marker(0)),
        calls("sample", {"table": "tickets", "n": 2}, "call_1", systemMessage=PLANNER,
              userMessage=GOAL, toolName="submit_plan", hasToolResult=False),
        *rows(),
    )  # fmt: skip

    # when
    job = stack.wait(stack.submit(goal()))

    # then
    assert job["status"] == "succeeded", (job, stack.logs("planner")[-3000:])
    shown = plan_of(stack, job)
    assert (shown["engine"], shown["plan"]["stages"][0]["name"]) == ("model", "labels")
    assert stack.results(job["id"]) == [{"id": number, **answer(number)} for number in range(ROWS)]
    seen = aimock.seen()
    planning = [one for one in seen if PLANNER in one.system]
    assert [one.status for one in seen] == [200] * (3 + ROWS)
    assert [len(one.body["messages"]) for one in planning] == [2, 4, 6]
    assert job["usage"]["calls"] == len(seen)


def test_a_model_that_takes_no_tools_plans_in_a_text(stack: Stack, aimock: Aimock) -> None:
    # given
    aimock.add(
        fails(400, {"message": "This model does not support tools."}, toolName="submit_plan"),
        says(one_stage(), systemMessage=PLANNER, responseFormat="json_object"),
        *rows(),
    )

    # when
    job = stack.wait(stack.submit(goal()))

    # then
    assert job["status"] == "succeeded", (job, stack.logs("planner")[-3000:])
    assert plan_of(stack, job)["engine"] == "model"
    assert [one.status for one in aimock.seen()] == [400] + [200] * (1 + ROWS)


def test_planning_goes_on_after_faults_that_pass(stack: Stack, aimock: Aimock) -> None:
    # given three errors before the first answer; the one said last comes first
    aimock.add(
        calls("submit_plan", one_stage(), "call_1", systemMessage=PLANNER, hasToolResult=False),
        *rows(),
    )
    for status in (500, 503, 529):
        aimock.fail_next(status, message="for once", type="server_error")

    # when
    job = stack.wait(stack.submit(goal()))

    # then
    assert job["status"] == "succeeded", (job, stack.logs("planner")[-3000:])
    assert [one.status for one in aimock.seen()] == [529, 503, 500] + [200] * (1 + ROWS)


def test_a_planning_model_that_is_not_there_pauses_the_job_until_it_is(
    stack: Stack, aimock: Aimock
) -> None:
    # given a server that answers 404
    job_id = stack.submit(goal())

    # then
    url = f"/v1/jobs/{job_id}"
    eventually(lambda: stack.get(url).json["status"] == "paused", within=60)
    reason = stack.get(url).json["status_reason"]
    assert (reason["kind"], reason["code"]) == ("breaker", "permanent")
    assert "No fixture matched" in reason["detail"]
    assert [one.status for one in aimock.seen()] == [404]

    # when
    aimock.add(calls("submit_plan", one_stage(), "call_1", systemMessage=PLANNER), *rows())
    assert stack.post(f"{url}/resume").status in (200, 202)

    # then
    assert stack.wait(job_id)["status"] == "succeeded"
    assert len(stack.results(job_id)) == ROWS
