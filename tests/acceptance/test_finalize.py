"""Jobs that end before their work is done: finalized, out of time, cancelled, made to wait."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.commands.work import app as work
from tests.acceptance.model_work.test_model_work import llm_plan, tickets
from tests.acceptance.planning import alone
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.accounts import settled
from tests.stack import Stack

UNITS = 200
RECORDS = """SELECT count(*) FROM events WHERE job_id = %s AND type = 'job.finished'"""
RUNNING = "SELECT count(*) FROM shards WHERE job_id = %s AND status = 'running'"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as made:
        yield made


@pytest.fixture(scope="module")
def running_stack(make_module_stack: Callable[..., Stack], endpoint: FakeModel) -> Stack:
    return make_module_stack(
        OPENAI_BASE_URL=endpoint.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake",
        APWA_SHARD_SIZE="10", APWA_LOOP_CONCURRENCY="4",
    ).start_all(workers=1)  # fmt: skip


@pytest.fixture
def model(endpoint: FakeModel) -> FakeModel:
    """An endpoint that takes 300 ms and has nothing in its journal."""
    endpoint.change(latency_ms={"fixed": 300})
    endpoint.forget()
    return endpoint


@pytest.fixture
def stack(running_stack: Stack, model: FakeModel) -> Iterator[Stack]:
    """One worker that makes four calls at once; no job is left to the next test."""
    with alone(running_stack, model):
        yield running_stack


def answered(model: FakeModel) -> Counter[str]:
    """Return the rows that were answered, and how often."""
    return Counter(marker for call in model.calls() if call.answered for marker in call.markers)


def ledger(job: dict[str, Any]) -> tuple[int, int, int]:
    labels = job["coverage"]["stages"]["labels"]
    assert labels["failed"] == labels["cancelled"] == 0
    return labels["units"], labels["succeeded"], labels["skipped"]


def test_a_finalized_job_keeps_what_is_there_and_what_was_in_flight(
    stack: Stack, model: FakeModel
) -> None:
    # given a job under way that is content with very little
    policy = {"min_success": 0.01}
    job_id = stack.submit({"plan": llm_plan(), "inputs": tickets(UNITS), "policy": policy})
    eventually(lambda: settled(stack, job_id) >= 4, within=30)

    # when it is finalized
    answer = stack.post(f"/v1/jobs/{job_id}/finalize")
    assert answer.status == 202
    assert answer.json["status"] == "finalizing"
    assert answer.json["status_reason"]["kind"] == "finalized"
    assert answer.json["status_reason"]["by"].startswith("key:")
    job = stack.wait(job_id, within=30)

    # then every call that was answered is in the result, and the rest was never begun
    units, succeeded, skipped = ledger(job)
    assert (units, succeeded + skipped) == (UNITS, UNITS)
    assert 4 <= succeeded < UNITS
    assert answered(model).total() == succeeded == len(stack.results(job_id))
    assert all(call.answered for call in model.calls())
    assert job["status"] == "succeeded"
    assert job["status_reason"]["kind"] == "finalized"
    assert stack.scalar(RECORDS, job_id) == 1
    assert stack.post(f"/v1/jobs/{job_id}/finalize").status == 409


def test_a_passed_deadline_ends_a_job_that_runs_rests_or_waits(
    stack: Stack, model: FakeModel
) -> None:
    # given a job that runs out of time while it runs, one that is paused, one not approved
    body = {"plan": llm_plan(), "inputs": tickets(UNITS)}
    runs = stack.submit({**body, "policy": {"deadline_s": 3600}})
    rests = stack.submit({**body, "policy": {"deadline_s": 3}})
    assert stack.post(f"/v1/jobs/{rests}/pause").status == 202
    waits = stack.submit({**body, "approval": "plan", "policy": {"deadline_s": 3}})
    eventually(lambda: settled(stack, runs) >= 4, within=30)
    path = f"/v1/jobs/{runs}"
    assert stack.get(path).json["deadline_at"] is not None
    tag = stack.get(path).headers["ETag"]
    patched = stack.request("PATCH", path, {"deadline_s": 0.1}, {"If-Match": tag})
    assert patched.status == 200, patched.body

    # then each ends, says why, and its record is written once
    ended = {job_id: stack.wait(job_id, within=30) for job_id in (runs, rests, waits)}
    assert {job["status_reason"]["kind"] for job in ended.values()} == {"deadline"}
    assert ended[runs]["status"] == "partial"
    assert ended[runs]["error"]["code"] == "below_min_success"
    units, succeeded, skipped = ledger(ended[runs])
    assert units == UNITS == succeeded + skipped
    assert ended[rests]["status"] == ended[waits]["status"] == "failed"
    assert ended[waits]["error"]["code"] == "no_result"
    assert {stack.scalar(RECORDS, job_id) for job_id in ended} == {1}


def test_calls_that_do_not_end_are_cut_off_after_the_time_to_settle(
    make_stack: Callable[..., Stack], model: FakeModel
) -> None:
    model.change(latency_ms={"fixed": 60_000})
    stack = make_stack(
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake",
        APWA_FINISH_SETTLE_S="1",
    ).start_all(workers=1)  # fmt: skip
    job_id = stack.submit({"plan": llm_plan(), "inputs": tickets(4)})
    eventually(lambda: model.stats()["in_flight"] == 4, within=30)
    assert stack.post(f"/v1/jobs/{job_id}/finalize").status == 202
    job = stack.wait(job_id, within=20)
    assert (job["status"], job["error"]["code"]) == ("failed", "no_result")
    assert ledger(job) == (4, 0, 4)
    eventually(lambda: model.stats()["in_flight"] == 0, within=10)
    assert not any(call.answered for call in model.calls())


def test_cancelling_aborts_the_calls_in_flight(stack: Stack, model: FakeModel) -> None:
    # given a job all of whose calls take a minute
    model.change(latency_ms={"fixed": 60_000})
    before = model.stats()["calls"]
    job_id = stack.submit({"plan": llm_plan(), "inputs": tickets(UNITS)})
    eventually(lambda: model.stats()["in_flight"] == 4, within=30)

    # when it is cancelled, the calls end long before they are answered, and no other is made
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status == 202
    eventually(lambda: model.stats()["in_flight"] == 0, within=10)
    job = stack.wait(job_id, within=20)
    assert job["status"] == "cancelled"
    assert model.stats()["calls"] == before + 4
    assert [call.answered for call in model.calls()] == [False] * 4


def test_all_work_is_paused_by_an_operator_and_goes_on(
    stack: Stack, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a job under way
    before = model.stats()["calls"]
    monkeypatch.setenv("APWA_DATABASE_URL", stack.environ["APWA_DATABASE_URL"])
    monkeypatch.setenv("APWA_REDIS_URL", stack.environ["APWA_REDIS_URL"])
    job_id = stack.submit({"plan": llm_plan(), "inputs": tickets(60)})
    eventually(lambda: settled(stack, job_id) >= 4, within=30)

    # when everything is paused, its worker lets go, and it says who keeps it
    assert CliRunner().invoke(work, ["pause"]).exit_code == 0
    eventually(lambda: stack.scalar(RUNNING, job_id) == 0, within=20)
    made = model.stats()["calls"]
    job = stack.get(f"/v1/jobs/{job_id}").json
    assert (job["status"], job["status_reason"]["kind"]) == ("running", "paused")
    assert job["status_reason"]["scope"] == "global"
    assert job["status_reason"]["by"].startswith("operator:")
    waits = stack.submit({"plan": llm_plan(), "inputs": tickets(3)})
    stack.redis().flushall()

    # then it rests (a resumed project does not change that), and loses nothing by it
    assert CliRunner().invoke(work, ["resume", "--project", "default"]).exit_code == 0
    other = stack.scalar("SELECT max(seen_at) FROM workers")
    eventually(lambda: stack.scalar("SELECT max(seen_at) FROM workers") > other, within=10)
    assert model.stats()["calls"] == made == before + answered(model).total()
    assert stack.get(f"/v1/jobs/{waits}").json["status"] == "queued"
    assert CliRunner().invoke(work, ["resume"]).exit_code == 0
    assert stack.wait(job_id, within=60)["status"] == "succeeded"
    assert stack.wait(waits, within=60)["status"] == "succeeded"
    assert answered(model).total() == 63
