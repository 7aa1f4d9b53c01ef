"""Faults aimock makes by itself: errors, dropped and cut connections, rates, a key it refuses."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.aimock.fixtures import cut_off, fails, says
from tests.aimock.jobs import answer, marker, one_stage, tickets
from tests.aimock.server import Aimock
from tests.eventually import eventually
from tests.stack import Stack

# Every 429 of aimock has the headers of a limit, and they are believed for ten minutes: it goes to
# a model of its own, so that the other tests are not slowed down.
LIMITED = one_stage(params={"model": "limited"})
ONCE: list[dict[str, Any]] = [
    fails(500, userMessage=marker(0)),
    fails(503, userMessage=marker(1)),
    fails(529, {"type": "overloaded_error"}, userMessage=marker(2)),
    says("never sent", chaos={"dropRate": 1}, userMessage=marker(3)),
    says("never sent", chaos={"malformedRate": 1}, userMessage=marker(4)),
    says("never sent", chaos={"disconnectRate": 1}, userMessage=marker(5)),
    cut_off('{"label": "half', userMessage=marker(6)),
]


def paused(stack: Stack, job_id: str) -> dict[str, Any] | None:
    job: dict[str, Any] = stack.get(f"/v1/jobs/{job_id}").json
    return job if job["status"] == "paused" else None


def per_row(aimock: Aimock, rows: int) -> list[int]:
    """Return how often each row was asked."""
    seen = aimock.seen()
    return [sum(marker(number) in one.user for one in seen) for number in range(rows)]


def answers(rows: int) -> list[dict[str, Any]]:
    return [says(answer(number), userMessage=marker(number)) for number in range(rows)]


def results(rows: int) -> list[dict[str, Any]]:
    return [{"id": number, **answer(number)} for number in range(rows)]


def test_a_fault_that_passes_costs_one_more_call_and_no_row(stack: Stack, aimock: Aimock) -> None:
    # given seven rows whose first call ends in seven ways, and one that is well
    first = [{**one, "match": {**one["match"], "sequenceIndex": 0}} for one in ONCE]
    aimock.add(*first, *answers(8))

    # when
    job = stack.wait(stack.submit({"plan": one_stage(), "inputs": tickets(8)}))

    # then
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    assert stack.results(job["id"]) == results(8)
    assert per_row(aimock, 8) == [2] * 7 + [1]
    assert {one.chaos for one in aimock.seen()} == {None, "drop", "malformed", "disconnect"}


def test_rows_the_server_refuses_fail_alone(stack: Stack, aimock: Aimock) -> None:
    # given a row it has no good word for, a row its filter stops, and eight others
    aimock.add(
        fails(400, {"type": "invalid_request_error"}, userMessage=marker(0)),
        fails(400, {"code": "content_filter"}, userMessage=marker(1)),
        *answers(10),
    )

    # when
    body = {"plan": one_stage(), "inputs": tickets(10), "policy": {"min_success": 0.8}}
    job = stack.wait(stack.submit(body))

    # then
    assert job["status"] == "succeeded", job
    assert stack.results(job["id"]) == results(10)[2:]
    ended = {
        item["unit"]: (item["outcome"], item["error"]["code"])
        for outcome in ("failed", "refused")
        for item in stack.get(f"/v1/jobs/{job['id']}/subtasks?outcome={outcome}").json["items"]
    }
    assert ended == {0: ("failed", "permanent"), 1: ("refused", "refused")}
    assert per_row(aimock, 10) == [1] * 10


def test_a_row_that_is_too_many_requests_waits_its_turn(stack: Stack, aimock: Aimock) -> None:
    # given a 429 with the headers of a limit: nothing left, full again in six minutes
    limited = fails(429, {"type": "rate_limit_error"}, userMessage=marker(0), sequenceIndex=0)
    aimock.add(limited, *answers(3))

    # when
    job = stack.wait(stack.submit({"plan": LIMITED, "inputs": tickets(3)}))

    # then
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    assert stack.results(job["id"]) == results(3)
    assert per_row(aimock, 3) == [2, 1, 1]
    assert Counter(one.status for one in aimock.seen()) == {429: 1, 200: 3}


def test_an_account_without_credit_pauses_the_job_and_resume_goes_on(
    stack: Stack, aimock: Aimock
) -> None:
    # given
    aimock.add(*answers(1))
    aimock.fail_next(429, code="insufficient_quota", message="You exceeded your current quota.")

    # when
    job_id = stack.submit({"plan": LIMITED, "inputs": tickets(1)})

    # then
    job = eventually(lambda: paused(stack, job_id), within=60)
    assert job["status_reason"]["kind"] == "provider_quota"
    assert stack.post(f"/v1/jobs/{job_id}/resume").status in (200, 202)
    assert stack.wait(job_id)["status"] == "succeeded"
    assert stack.results(job_id) == results(1)


def test_a_disturbed_server_loses_nothing(stack: Stack, aimock: Aimock) -> None:
    # given every fourth call dropped or cut; all rows still get their answers
    aimock.add(*answers(150))
    aimock.disturb(dropRate=0.15, disconnectRate=0.1)

    # when
    job = stack.wait(stack.submit({"plan": one_stage(), "inputs": tickets(150)}), within=150)

    # then
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    assert stack.results(job["id"]) == results(150)
    seen = aimock.seen()
    assert Counter(one.user for one in seen if one.chaos is None).most_common(1)[0][1] == 1
    assert sum(one.chaos is None for one in seen) == 150


@pytest.mark.parametrize(("known", "rows"), [(0, 60), (5, 9)])
def test_a_model_that_is_gone_pauses_the_job_whether_or_not_it_served_before(
    stack: Stack, aimock: Aimock, known: int, rows: int
) -> None:
    # given a server that knows the answers of no row, or of a few, and says 404 to the others
    aimock.add(*answers(known))
    job_id = stack.submit({"plan": one_stage(), "inputs": tickets(rows)})

    # then
    job = eventually(lambda: paused(stack, job_id), within=90)
    assert (job["status_reason"]["kind"], job["status_reason"]["code"]) == ("breaker", "permanent")
    assert "No fixture matched" in job["status_reason"]["detail"]

    # when it is there again
    aimock.add(*answers(rows)[known:])
    assert stack.post(f"/v1/jobs/{job_id}/resume").status in (200, 202)

    # then no row is lost, and none that was answered is asked again
    assert stack.wait(job_id)["status"] == "succeeded"
    assert stack.results(job_id) == results(rows)
    assert Counter(one.status for one in aimock.seen())[200] == rows


def test_a_key_the_server_refuses_pauses_the_job(
    make_mocked: Callable[..., Stack], aimock: Aimock
) -> None:
    aimock.add(*answers(60))
    stack = make_mocked(OPENAI_API_KEY="sk-of-somebody-else")
    job_id = stack.submit({"plan": one_stage(), "inputs": tickets(60)})
    job = eventually(lambda: paused(stack, job_id), within=90)
    assert "HTTP 401: Invalid API key" in job["status_reason"]["detail"]
    assert "sk-of-somebody-else" not in stack.logs("worker")
    assert aimock.seen() == []
