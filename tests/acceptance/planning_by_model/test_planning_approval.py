"""A model's plan before it runs: edited, approved by its hash, and tried on a few rows first."""

from collections import Counter
from typing import Any

from tests.acceptance.planning import (
    has_status,
    job,
    plan_of,
    planning_calls,
    working_calls,
)
from tests.fake_llm.process import FakeModel
from tests.stack import Answer, Stack

GOAL = "Say what each of the tickets is about."
ROWS, PILOT = 5_000, 20


def approve(stack: Stack, job_id: str, tag: str) -> Answer:
    path = f"/v1/jobs/{job_id}/plan/approve"
    return stack.request("POST", path, headers={"If-Match": tag})


def many_rows(count: int) -> list[dict[str, Any]]:
    return [
        {"id": no, "status": "open", "text": f"marker-{no:05} nobody answers the telephone"}
        for no in range(count)
    ]


def test_an_edited_plan_cannot_be_approved_by_the_hash_it_had(
    stack: Stack, model: FakeModel
) -> None:
    # given a model's plan that waits, and nothing of it has run
    job_id = stack.submit(job(GOAL, approval="plan"))
    has_status(stack, job_id, "awaiting_approval")
    path = f"/v1/jobs/{job_id}/plan"
    first = stack.get(path)
    assert first.json["engine"] == "model"
    assert working_calls(model) == []

    # when its owner writes another
    document = {**first.json["plan"], "brief": "Be brief. marker-999"}
    tag = first.headers["ETag"]
    put = stack.request("PUT", path, {"plan": document}, {"If-Match": tag})
    assert put.status == 200, put.body.decode()
    new_tag = stack.get(path).headers["ETag"]
    assert new_tag != tag

    # then the old hash approves, rejects and replaces nothing
    assert approve(stack, job_id, tag).status == 412
    assert stack.request("POST", f"{path}/reject", {}, {"If-Match": tag}).status == 412
    assert stack.request("PUT", path, {"plan": document}, {"If-Match": tag}).status == 412
    assert stack.get(f"/v1/jobs/{job_id}").json["status"] == "awaiting_approval"
    assert working_calls(model) == []

    # and the new one does; what runs is the edited plan
    assert approve(stack, job_id, new_tag).status == 202
    assert stack.wait(job_id)["status"] == "succeeded"
    assert plan_of(stack, job_id)["plan"]["brief"] == "Be brief. marker-999"
    assert all("marker-999" in call.markers for call in working_calls(model))
    assert len(working_calls(model)) == 30
    assert len(planning_calls(model)) == 1


def test_the_rows_of_a_pilot_are_not_paid_again(stack: Stack, model: FakeModel) -> None:
    # given a pilot of a few of many rows, under a plan a model wrote
    job_id = stack.submit(job(GOAL, many_rows(ROWS), pilot={"units": PILOT}))
    waiting = has_status(stack, job_id, "awaiting_approval", within=60)
    tried = [call.own_markers for call in working_calls(model)]
    assert len(tried) == PILOT
    report = waiting["pilot"]["report"]
    assert (report["settled"], report["succeeded"]) == (PILOT, PILOT)
    assert [stage["units"] for stage in report["stages"]] == [ROWS]
    assert approve(stack, job_id, '"old"').status == 412

    # when it is approved
    tag = stack.get(f"/v1/jobs/{job_id}/plan").headers["ETag"]
    assert approve(stack, job_id, tag).status == 202
    ended = stack.wait(job_id, within=90)

    # then every row was called once over the whole job, the pilot's among them
    assert ended["status"] == "succeeded", ended
    seen = Counter(marker for call in working_calls(model) for marker in call.markers)
    assert seen == {f"marker-{no:05}": 1 for no in range(ROWS)}
    assert Counter(row["id"] for row in stack.results(job_id)) == Counter(range(ROWS))
    assert ended["usage"]["calls"] == ROWS + 1  # and one that planned
    assert len(planning_calls(model)) == 1
