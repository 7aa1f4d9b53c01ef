"""Cancelling a job that runs: what is settled stays, the rest is counted, nothing new starts."""

from pathlib import Path

from tests.eventually import eventually
from tests.faults.accounts import job_of, moody_plan, people, settled
from tests.stack import Stack


def test_a_running_job_is_cancelled_with_a_ledger_that_adds_up(
    stack: Stack, tmp_path: Path
) -> None:
    # given a job under way
    units, journal = 400, tmp_path / "journal"
    plan = moody_plan({"journal": str(journal)})
    job_id = stack.submit(job_of(people(units, nap_s=0.05), plan=plan))
    eventually(lambda: settled(stack, job_id) >= 20, within=30)

    # when it is cancelled
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status == 202
    job = stack.wait(job_id, within=30)

    # then it is final, every unit is counted, and what was settled can be read
    assert job["status"] == "cancelled"
    progress = job["progress"]
    assert progress["units"] == units == progress["succeeded"] + progress["cancelled"]
    assert 20 <= progress["succeeded"] < units
    rows = stack.results(job_id)
    assert len({row["id"] for row in rows}) == len(rows) == progress["succeeded"]

    # and workers stop: nothing runs, and what ran late changed nothing
    busy = "SELECT coalesce(sum(busy), 0) FROM workers WHERE pid = ANY(%s)"
    pids = [worker.pid for worker in stack.processes["worker"]]
    eventually(lambda: stack.scalar(busy, pids) == 0, within=30)
    assert len(journal.read_text().split()) < units
    assert stack.get(f"/v1/jobs/{job_id}").json == job
    assert_cancelled_through(stack, job_id)
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status == 409


def test_a_cancelled_job_stays_cancelled_when_everything_is_started_again(stack: Stack) -> None:
    # given a cancelled job whose collector died before it could finish the record
    stack.kill("collector")
    job_id = stack.submit(job_of(people(200, nap_s=0.02)))
    eventually(lambda: settled(stack, job_id) >= 10, within=30)
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status == 202
    assert stack.get(f"/v1/jobs/{job_id}").json["status"] == "finalizing"
    stack.kill("worker")

    # when they come back
    stack.start("worker")
    stack.start("collector")
    job = stack.wait(job_id, within=30)

    # then it ends as it was told
    assert job["status"] == "cancelled"
    assert sum(job["progress"][name] for name in ("succeeded", "failed", "cancelled")) == 200
    assert_cancelled_through(stack, job_id)


def assert_cancelled_through(stack: Stack, job_id: str) -> None:
    assert stack.rows(
        "SELECT DISTINCT status FROM shards WHERE job_id = %s AND status <> 'done'", job_id
    ) == [("cancelled",)]
    ledger = stack.rows(
        """SELECT t.unit_count = t.succeeded + t.failed + t.cancelled + t.skipped,
          t.succeeded = (SELECT count(*) FROM results WHERE stage_id = t.id)
          FROM stages t WHERE job_id = %s""",
        job_id,
    )
    assert ledger == [(True, True)]
