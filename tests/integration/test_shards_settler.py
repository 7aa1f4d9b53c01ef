"""Outcomes wait in memory until Postgres has them, and go nowhere once the lease is lost."""

import pytest
from sqlalchemy import Engine, text

from services.worker.held import HeldShard
from services.worker.settler import Settler
from shared.settings import Settings
from tests.eventually import eventually
from tests.integration.running_job import RunningJob, outcome_of, running_job

UNITS = 200


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    return running_job(database, settings, units=UNITS, shard_size=UNITS)


def settler_of(job: RunningJob, batch: int, delay_s: float) -> Settler:
    return Settler(job.engine, "wrk_a", batch, delay_s)


def test_outcomes_go_out_when_a_batch_is_full_or_after_a_while(job: RunningJob) -> None:
    held = HeldShard(job.claimed(job.shard_ids()[0]))
    full = settler_of(job, batch=3, delay_s=60)
    full.put(held, [outcome_of(0), outcome_of(1)])
    assert job.results() == {}
    full.put(held, [outcome_of(2)])
    eventually(lambda: len(job.results()) == 3)
    full.close()

    soon = settler_of(job, batch=10_000, delay_s=0.01)
    soon.put(held, [outcome_of(3)])
    eventually(lambda: len(job.results()) == 4)
    soon.close()


def test_a_flush_ends_when_everything_is_written(job: RunningJob) -> None:
    held = HeldShard(job.claimed(job.shard_ids()[0]))
    settler = settler_of(job, batch=10_000, delay_s=60)
    settler.put(held, [outcome_of(unit) for unit in range(UNITS)])
    settler.flush(held)
    assert len(job.results()) == UNITS
    assert job.finish(held.shard)
    settler.close()


def test_what_postgres_did_not_take_is_written_again_and_once(
    job: RunningJob, database: Engine
) -> None:
    # given a write that hangs at the row of its shard
    held = HeldShard(job.claimed(job.shard_ids()[0]))
    settler = settler_of(job, batch=1, delay_s=0.01)
    with database.connect() as holder:
        holder.execute(text("SELECT id FROM shards FOR UPDATE"))
        settler.put(held, [outcome_of(unit) for unit in range(UNITS)])

        # when its connection is ended three times
        for _ in range(3):
            eventually(lambda: end_whoever_waits(job), within=30)
        holder.rollback()

    # then each outcome is there once, counted once
    settler.flush(held)
    assert job.results() == dict.fromkeys(range(UNITS), "succeeded")
    assert job.shard(held.shard.id)["succeeded"] == UNITS
    assert not held.lost
    settler.close()


def end_whoever_waits(job: RunningJob) -> int:
    return len(
        job.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database()"
        )
    )


def test_a_lost_lease_ends_the_writing(job: RunningJob) -> None:
    held = HeldShard(job.claimed(job.shard_ids()[0]))
    job.run("UPDATE shards SET fence = fence + 1")
    settler = settler_of(job, batch=1, delay_s=0.01)
    settler.put(held, [outcome_of(0)])
    settler.flush(held)
    assert held.lost
    assert job.results() == {}
    settler.put(held, [outcome_of(1)])
    settler.flush(held)  # does not wait for what will never be
    settler.close()
