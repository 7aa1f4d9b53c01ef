"""A running job is paused and resumed: calls stop, and nothing that settled is run again."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.faults.accounts import assert_each_unit_once, job_of, moody_plan, people, settled
from tests.stack import Stack

UNITS = 300


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], own_package: str) -> Stack:
    """Two workers with the stranger's package, and shards that outlive a heartbeat."""
    made = make_module_stack(APWA_SHARD_SIZE="30", APWA_LEASE_S="2")
    made.environ["PYTHONPATH"] = own_package
    return made.start_all(workers=2)


def test_a_paused_job_rests_and_a_resumed_one_repeats_nothing(stack: Stack, tmp_path: Path) -> None:
    # given a job under way, of units that nap
    journal = tmp_path / "journal"
    job_id = stack.submit(
        job_of(people(UNITS, nap_s=0.05), plan=moody_plan({"journal": str(journal)}))
    )
    eventually(lambda: settled(stack, job_id) >= 20, within=60)

    # when it is paused
    assert stack.post(f"/v1/jobs/{job_id}/pause").status == 202

    # then its workers let go within a few heartbeats: no lease runs out, nothing is lost
    running = "SELECT count(*) FROM shards WHERE job_id = %s AND status = 'running'"
    eventually(lambda: stack.scalar(running, job_id) == 0, within=20)
    done = settled(stack, job_id)
    assert 20 <= done < UNITS, "the job was over before it was paused: make it longer"
    job = stack.get(f"/v1/jobs/{job_id}").json
    assert job["status"] == "paused"
    assert job["status_reason"]["kind"] == "paused"
    assert len(stack.results(job_id)) <= done
    calls = len(journal.read_text().split())

    # and it rests, though planner, collector and rescue look at it and Redis is emptied
    stack.redis().flushall()
    other = stack.wait(stack.submit(job_of(people(40))), within=60)
    assert other["status"] == "succeeded"
    assert len(journal.read_text().split()) == calls == done
    assert stack.get(f"/v1/jobs/{job_id}").json["status"] == "paused"

    # and once it is resumed every unit is there once, run once, and no delivery was lost
    assert stack.post(f"/v1/jobs/{job_id}/resume").status == 202
    assert_each_unit_once(stack, stack.wait(job_id, within=120), UNITS)
    ran = Counter(int(line) for line in journal.read_text().split())
    assert ran == Counter(range(UNITS))
    endings = stack.rows(
        "SELECT DISTINCT d.ending FROM shard_deliveries d JOIN shards s ON s.id = d.shard_id "
        "WHERE s.job_id = %s",
        job_id,
    )
    assert endings == [("released",)]
    assert stack.scalar("SELECT coalesce(max(lost), 0) FROM shards WHERE job_id = %s", job_id) == 0
    burned = "SELECT count(*) FROM attempts a JOIN stages t ON t.id = a.stage_id WHERE job_id = %s"
    assert stack.scalar(burned, job_id) == 0


def test_a_job_waits_for_the_yes_to_its_plan_and_then_runs(stack: Stack) -> None:
    # given a job whose plan is shown but not approved
    job_id = stack.submit(job_of(people(40), approval="plan"))
    path = f"/v1/jobs/{job_id}"
    eventually(lambda: stack.get(path).json["status"] == "awaiting_approval", within=30)

    # when it is approved under another hash, it still waits; under its own, it runs
    answer = stack.request("POST", f"{path}/plan/approve", headers={"If-Match": '"other"'})
    assert answer.status == 412
    assert stack.scalar("SELECT count(*) FROM shards WHERE job_id = %s", job_id) == 0
    tag = stack.get(f"{path}/plan").headers["ETag"]
    answer = stack.request("POST", f"{path}/plan/approve", headers={"If-Match": tag})
    assert answer.status == 202
    assert_each_unit_once(stack, stack.wait(job_id), 40)
