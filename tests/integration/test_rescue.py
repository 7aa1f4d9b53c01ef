"""Shards whose worker was lost come back, and a unit that kills its workers is found."""

import pytest
from sqlalchemy import Engine

from services.collector.rescue import rescue_expired
from shared.settings import Settings
from tests.integration.running_job import RunningJob, running_job


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """One shard of four units."""
    return running_job(database, settings, units=4, shard_size=4)


def lost(job: RunningJob, shard_id: int) -> None:
    """Claim a shard and lose it."""
    job.lose(job.claimed(shard_id, alone=bool(job.shard(shard_id)["alone"])))
    assert rescue_expired(job.engine) == {job.id}


def test_a_live_lease_is_left_alone(job: RunningJob) -> None:
    job.claimed(job.shard_ids()[0])
    assert rescue_expired(job.engine) == set()


def test_a_lost_shard_is_pending_again_and_the_loss_is_on_record(job: RunningJob) -> None:
    [shard_id] = job.shard_ids()
    lost(job, shard_id)
    row = job.shard(shard_id)
    assert (row["status"], row["lost"], row["alone"]) == ("pending", 1, False)
    assert row["dispatched_at"] is None
    [delivery] = job.rows("SELECT * FROM shard_deliveries")
    assert (delivery["ending"], delivery["fence"], delivery["worker_id"]) == ("lost", 1, "wrk_a")


def test_after_two_losses_it_runs_alone_and_after_three_in_halves(job: RunningJob) -> None:
    [shard_id] = job.shard_ids()
    lost(job, shard_id)
    lost(job, shard_id)
    assert job.shard(shard_id)["alone"]
    lost(job, shard_id)
    halves = [job.shard(id_) for id_ in job.shard_ids("pending")]
    assert [(one["only_units"], one["alone"], one["lost"]) for one in halves] == [
        ([0, 1], True, 2),
        ([2, 3], True, 2),
    ]
    parent = job.shard(shard_id)
    assert (parent["status"], parent["unit_count"]) == ("done", 0)


def test_only_the_unit_that_kills_its_workers_fails(job: RunningJob) -> None:
    # given a unit whose worker never comes back
    deaths = 0
    while pending := job.shard_ids("pending"):
        shard = job.claimed(pending[0], alone=True)
        if 2 in shard.units:
            deaths += 1
            job.lose(shard)
            rescue_expired(job.engine)
        else:
            job.settle(shard, shard.units)
            job.finish(shard)

    # then it is isolated within 3 + log2(4) deaths, and nothing else is blamed
    assert deaths == 5
    assert job.results() == {0: "succeeded", 1: "succeeded", 2: "failed", 3: "succeeded"}
    [failed] = job.rows("SELECT code, worker_id FROM results WHERE outcome = 'failed'")
    assert failed == {"code": "worker_lost", "worker_id": "collector"}
    [sums] = job.rows(
        "SELECT sum(unit_count) AS u, sum(succeeded) AS s, sum(failed) AS f FROM shards"
    )
    assert sums == {"u": 4, "s": 3, "f": 1}
    assert len(job.rows("SELECT * FROM shard_deliveries WHERE ending = 'lost'")) == deaths


def test_what_was_settled_before_the_loss_is_not_run_again(job: RunningJob) -> None:
    [shard_id] = job.shard_ids()
    lost(job, shard_id)
    lost(job, shard_id)
    shard = job.claimed(shard_id, alone=True)
    job.settle(shard, [0, 3])
    job.lose(shard)
    rescue_expired(job.engine)
    assert [job.shard(id_)["only_units"] for id_ in job.shard_ids("pending")] == [[1], [2]]
    assert job.shard(shard_id)["unit_count"] == 2


def test_a_shard_that_lacked_only_its_ending_is_ended(job: RunningJob) -> None:
    [shard_id] = job.shard_ids()
    shard = job.claimed(shard_id)
    job.settle(shard, shard.units)
    job.lose(shard)
    assert rescue_expired(job.engine) == {job.id}
    row = job.shard(shard_id)
    assert (row["status"], row["succeeded"]) == ("done", 4)
    assert len(job.rows("SELECT * FROM shard_deliveries WHERE ending = 'lost'")) == 1


def test_late_writes_after_a_rescue_are_refused(job: RunningJob) -> None:
    [shard_id] = job.shard_ids()
    shard = job.claimed(shard_id)
    job.lose(shard)
    rescue_expired(job.engine)
    assert not job.settle(shard, [0])
    assert not job.finish(shard)
    assert job.results() == {}
