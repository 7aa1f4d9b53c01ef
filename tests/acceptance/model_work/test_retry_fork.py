"""A final job is retried or forked: only what failed, or what is new, is asked of the model."""

from collections import Counter
from typing import Any

from tests.acceptance.model_work.test_model_work import llm_plan, tickets
from tests.fake_llm.process import FakeModel
from tests.stack import Answer, Stack

BROKEN = (3, 7)  # the endpoint answers 400
REFUSED = 11


def counted(**stage: Any) -> dict[str, Any]:
    """Label each ticket, then count the labels over all of them."""
    plan = llm_plan(**stage)
    count = {
        "name": "counted", "over": "labels", "unit": {"table": True}, "capability": "sql",
        "params": {"query": "SELECT count(*) AS n FROM labels"},
    }  # fmt: skip
    return {**plan, "stages": [*plan["stages"], count], "result": {"table": "counted"}}


def faulty(count: int, times: str = "") -> dict[str, Any]:
    """Tickets of which some fail: always, or the first time only (``*1``)."""
    body = tickets(count)
    for number in BROKEN:
        body["tickets"]["rows"][number]["text"] = f"MARK-{number:05d} FAULT:400{times}"
    body["tickets"]["rows"][REFUSED]["text"] = f"MARK-{REFUSED:05d} FAULT:refusal{times}"
    return body


def asked(model: FakeModel) -> Counter[str]:
    """Return how often each row was asked for since the journal was emptied."""
    return Counter(marker for call in model.calls() for marker in call.markers)


def markers(*numbers: int) -> set[str]:
    return {f"MARK-{number:05d}" for number in numbers}


def made(answer: Answer) -> str:
    assert answer.status == 202, answer.body
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
    return str(answer.json["id"])


def test_a_retry_asks_for_the_failed_rows_only(stack: Stack, model: FakeModel) -> None:
    # given a job of which three rows failed, and would not fail again
    model.forget()
    job_id = stack.submit({"plan": counted(), "inputs": faulty(40, "*1")})
    job = stack.wait(job_id)
    assert job["status"] == "partial", (job, stack.logs("worker")[-3000:])
    assert asked(model).keys() == markers(*range(40))
    assert stack.results(job_id) == [{"n": 37}]

    # when those that were refused are retried
    model.forget()
    code = next(
        one["code"] for one in stack.get(f"/v1/jobs/{job_id}/failures").json["items"]
        if one["outcome"] == "refused"
    )  # fmt: skip
    second = made(stack.post(f"/v1/jobs/{job_id}/retry", {"select": {"error_code": code}}))
    again = stack.wait(second)

    # then no other row is called, the others are as they were, and the sum is made anew
    assert (again["retry_of"], again["status"]) == (job_id, "partial")
    assert asked(model) == dict.fromkeys(markers(REFUSED), 1)
    assert again["coverage"]["stages"]["labels"]["failed"] == len(BROKEN)
    assert again["usage"]["cache_hits"] == 39
    assert stack.results(second) == [{"n": 38}]
    before = {row[0]: row for row in stack.rows(LABELS, job_id)}
    after = {row[0]: row for row in stack.rows(LABELS, second)}
    assert after.pop(REFUSED) != before.pop(REFUSED)
    assert after == before

    # when all that failed is retried
    model.forget()
    third = made(stack.post(f"/v1/jobs/{second}/retry"))
    final = stack.wait(third)

    # then only what failed is called, and all is there
    assert final["status"] == "succeeded", (final, stack.logs("worker")[-3000:])
    assert asked(model) == dict.fromkeys(markers(*BROKEN), 1)
    assert stack.results(third) == [{"n": 40}]


LABELS = """SELECT r.unit, r.outcome, r.output FROM results r JOIN stages t ON t.id = r.stage_id
  WHERE t.job_id = %s AND t.name = 'labels' AND r.replica = 0 ORDER BY r.unit"""


def test_an_override_holds_for_what_runs_again_and_good_rows_stay(
    stack: Stack, model: FakeModel
) -> None:
    model.forget()
    job_id = stack.submit({"plan": llm_plan(), "inputs": faulty(20)})
    assert stack.wait(job_id)["status"] == "partial"
    model.forget()
    second = made(stack.post(f"/v1/jobs/{job_id}/retry", {"overrides": {"max_output_tokens": 77}}))
    job = stack.wait(second)
    assert asked(model).keys() == markers(*BROKEN, REFUSED)
    assert job["coverage"]["stages"]["labels"]["succeeded"] == 17
    document = stack.get(f"/v1/jobs/{second}/plan").json["plan"]
    assert document["stages"][0]["params"] == {"max_output_tokens": 77}

    # and a retry of the retry knows the good rows of the first job too
    model.forget()
    third = made(stack.post(f"/v1/jobs/{second}/retry", {"overrides": {"max_output_tokens": 78}}))
    assert stack.wait(third)["coverage"]["stages"]["labels"]["succeeded"] == 17
    assert asked(model).keys() == markers(*BROKEN, REFUSED)


def test_a_fork_with_rows_added_asks_for_these_only(stack: Stack, model: FakeModel) -> None:
    model.forget()
    job_id = stack.submit({"plan": counted(), "inputs": tickets(1000)})
    assert stack.wait(job_id)["status"] == "succeeded"
    assert sum(asked(model).values()) == 1000
    model.forget()

    second = made(stack.post(f"/v1/jobs/{job_id}/fork", {"inputs": tickets(1050)}))
    job = stack.wait(second)
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    assert job["forked_from"] == job_id
    assert asked(model) == dict.fromkeys(markers(*range(1000, 1050)), 1)
    assert len(model.calls()) == 50
    assert job["usage"]["cache_hits"] == 1000
    assert stack.results(second) == [{"n": 1050}]

    # and with another template every row is new work
    model.forget()
    other = counted(template={"instructions": "Name the ticket.", "input": "{{ text }}"})
    third = made(stack.post(f"/v1/jobs/{second}/fork", {"inputs": tickets(30), "plan": other}))
    assert stack.wait(third)["status"] == "succeeded"
    assert asked(model) == dict.fromkeys(markers(*range(30)), 1)

    # as it is where reuse is turned off
    model.forget()
    body = {"inputs": tickets(30), "policy": {"reuse": "none", "budget": {"usd": 1}}}
    fourth = made(stack.post(f"/v1/jobs/{third}/fork", body))
    assert stack.wait(fourth)["status"] == "succeeded"
    assert asked(model) == dict.fromkeys(markers(*range(30)), 1)


def test_what_cannot_be_retried_or_forked_is_told(stack: Stack) -> None:
    job_id = stack.submit({"plan": llm_plan(), "inputs": tickets(3)})
    assert stack.wait(job_id)["status"] == "succeeded"
    answer = stack.post(f"/v1/jobs/{job_id}/retry")
    assert (answer.status, answer.json["code"]) == (422, "nothing_selected")
    answer = stack.post(f"/v1/jobs/{job_id}/retry", {"select": {"error_code": "worker_lost"}})
    assert (answer.status, answer.json["code"]) == (422, "nothing_selected")
