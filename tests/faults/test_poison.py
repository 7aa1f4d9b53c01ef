"""Units that kill what runs them, and a worker that sleeps past its lease."""

import math
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from tests.eventually import eventually
from tests.faults.accounts import (
    assert_each_unit_once,
    assert_ledger_adds_up,
    job_of,
    moody_plan,
    people,
    settled,
)
from tests.stack import Stack


def test_a_unit_that_kills_its_child_fails_alone(stack: Stack) -> None:
    rows = people(30)
    rows[17]["do"] = "kill_child"
    job = stack.wait(stack.submit(job_of(rows, plan=moody_plan(retries=1))))
    assert_only_failed(stack, job, 17, units=30)
    assert all(worker.poll() is None for worker in stack.processes["worker"])


def test_a_unit_that_kills_its_worker_fails_alone_after_a_bounded_number_of_kills(
    stack: Stack, tmp_path: Path
) -> None:
    # given a shard of four units, one of which kills whatever worker runs it
    stack.kill("planner")
    stack.start("planner", APWA_SHARD_SIZE="4")
    journal = tmp_path / "journal"
    rows = people(24)
    rows[13]["do"] = "kill_worker"

    # when dead workers are started again, as a supervisor would
    job_id = stack.submit(job_of(rows, plan=moody_plan({"journal": str(journal)})))
    deaths = 0

    def final() -> dict[str, Any] | None:
        nonlocal deaths
        for worker in [one for one in stack.processes["worker"] if one.poll() is not None]:
            deaths += 1
            stack.processes["worker"].remove(worker)
            stack.start("worker", APWA_LEASE_S="1.5")
        job: dict[str, Any] = stack.get(f"/v1/jobs/{job_id}").json
        return job if job["finished_at"] else None

    job = eventually(final, within=120)

    # then it alone is given up, after at most 3 + log2(shard) workers
    assert_only_failed(stack, job, 13, units=24)
    assert 1 <= deaths <= 3 + math.log2(4)
    runs = Counter(journal.read_text().split())
    assert runs["13"] == deaths
    assert set(runs) == {str(number) for number in range(24)}
    stack.kill("planner")


def test_a_worker_that_slept_past_its_lease_writes_nothing_any_more(stack: Stack) -> None:
    # given a worker that falls asleep with units on the way
    units = 200
    job_id = stack.submit(job_of(people(units, nap_s=0.1)))
    eventually(lambda: settled(stack, job_id) > 0, within=30, every=0.01)
    sleeper = stack.processes["worker"][0].pid
    os.kill(sleeper, signal.SIGSTOP)
    open_shards = """SELECT s.id FROM shards s JOIN workers w ON w.id = s.worker_id
      WHERE s.job_id = %s AND w.pid = %s AND s.status = 'running'
      AND s.succeeded < s.unit_count"""
    held = [row[0] for row in stack.rows(open_shards, job_id, sleeper)]
    assert held, "the worker held nothing: it fell asleep too late"

    # when the other worker ends the job and then it wakes up again
    job = stack.wait(job_id)
    written = results_of(stack, job_id)
    os.kill(sleeper, signal.SIGCONT)

    # then it lets go of each of its shards, and its late results changed nothing
    for shard_id in held:
        let_go = f'"shard_id": {shard_id}, "fence": 1, "event": "shard_let_go"'
        eventually(lambda let_go=let_go: let_go in stack.logs("worker"), within=30)
    assert results_of(stack, job_id) == written
    assert_each_unit_once(stack, job, units)
    lost = "SELECT count(*) FROM shard_deliveries WHERE shard_id = ANY(%s) AND ending = 'lost'"
    assert stack.scalar(lost, held) == len(held)


def results_of(stack: Stack, job_id: str) -> list[tuple[Any, ...]]:
    """Return every result with who wrote it and when."""
    return stack.rows(
        """SELECT r.stage_id, unit, r.shard_id, r.worker_id, settled_at, output
          FROM results r JOIN stages t ON t.id = r.stage_id WHERE t.job_id = %s ORDER BY 1, 2""",
        job_id,
    )


def assert_only_failed(stack: Stack, job: dict[str, Any], unit: int, units: int) -> None:
    assert job["status"] == "partial", job
    assert (job["progress"]["succeeded"], job["progress"]["failed"]) == (units - 1, 1)
    assert [row["id"] for row in stack.results(job["id"])] == [
        number for number in range(units) if number != unit
    ]
    [failed] = stack.results(job["id"], "&outcome=failed")
    assert (failed["_apwa"]["unit"], failed["_apwa"]["code"]) == (unit, "worker_lost")
    assert_ledger_adds_up(stack, job["id"])
