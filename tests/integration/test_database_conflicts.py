"""Transactions that lose against others, or whose outcome nobody heard: again, and once."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from services.collector.rescue import rescue_expired
from services.worker.held import HeldShard
from services.worker.settler import Settler
from shared.actions.actor import Actor
from shared.actions.cancel import cancel_job
from shared.database import events, shards
from shared.database.engine import again_if_rolled_back, is_full, is_transient, retrying
from shared.database.patient_connection import open_patiently
from shared.settings import Settings
from tests.eventually import eventually
from tests.integration.running_job import RunningJob, outcome_of, running_job

EVENTS = 60
FULL = text("DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$")


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """Three shards of three units."""
    return running_job(database, settings)


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


# deadlocks and serialisation failures


def test_a_request_that_loses_a_deadlock_is_carried_out_all_the_same(
    job: RunningJob, beside: ThreadPoolExecutor
) -> None:
    # given somebody who takes locks in the wrong order: a shard first
    [project] = job.rows("SELECT project_id FROM jobs")
    actor, asked = Actor(project["project_id"], None, frozenset()), []
    with job.engine.connect() as other:
        other.execute(text("SELECT 1 FROM shards FOR UPDATE"))
        cancelling = beside.submit(
            cancel_job, job.engine, actor, job.id, lambda _tx, done: asked.append(done.status)
        )
        until_one_waits(job)

        # when he wants the job as well, so that only one of the two can go on
        other.execute(text("SELECT 1 FROM jobs FOR UPDATE"))
        assert not cancelling.done()
        other.rollback()

    # then the request is done, once
    assert cancelling.result(30).status == "finalizing"
    assert asked == ["finalizing"]
    stopped = job.rows("SELECT count(*) AS told FROM audit_log WHERE action = 'job.cancel'")
    assert stopped == [{"told": 1}]


def test_outcomes_that_lose_a_deadlock_are_written_all_the_same(job: RunningJob) -> None:
    held = HeldShard(job.claimed(job.shard_ids()[0]))
    settler = Settler(job.engine, "wrk_a", 10, 0.01)
    with job.engine.connect() as other:
        # given somebody who is about to write the same result
        job_stage = held.shard.stage_id
        other.execute(
            text("""INSERT INTO results (stage_id, unit, replica, shard_id, outcome, attempt)
              VALUES (:stage, 1, 0, :shard, 'succeeded', 1)"""),
            {"stage": job_stage, "shard": held.shard.id},
        )
        settler.put(held, [outcome_of(unit) for unit in range(3)])
        until_one_waits(job)

        # when he wants the shard as well
        other.execute(text("SELECT 1 FROM shards WHERE id = :id FOR UPDATE"), {"id": held.shard.id})
        other.rollback()
    settler.flush(held)
    settler.close()
    assert job.results() == dict.fromkeys(range(3), "succeeded")
    assert job.shard(held.shard.id)["succeeded"] == 3
    assert not held.lost


def test_a_serialisation_failure_is_run_again_on_what_is_there_now(job: RunningJob) -> None:
    seen = []

    def raise_priority(tx: Connection) -> None:
        tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        seen.append(tx.execute(text("SELECT priority FROM jobs")).scalar_one())
        if len(seen) == 1:
            job.run("UPDATE jobs SET priority = 8")
        tx.execute(text("UPDATE jobs SET priority = :priority"), {"priority": seen[-1] + 1})

    retrying(job.engine, raise_priority)
    assert seen == [5, 8]
    assert job.rows("SELECT priority FROM jobs") == [{"priority": 9}]


def test_what_may_have_been_done_is_not_repeated_by_itself() -> None:
    tried = []

    @again_if_rolled_back
    def store() -> None:
        tried.append(1)
        raise OperationalError("COMMIT", {}, psycopg.errors.ConnectionFailure())

    with pytest.raises(OperationalError):
        store()
    assert len(tried) == 1


# unknown outcomes


def test_units_moved_by_a_commit_nobody_heard_of_are_moved_once(job: RunningJob) -> None:
    shard = job.claimed(job.shard_ids()[0])
    for _ in range(2):
        with job.engine.begin() as tx:
            assert shards.split_off(tx, shard.id, shard.fence, [1, 2])
    children = job.rows("SELECT only_units FROM shards WHERE parent_id = :id", id=shard.id)
    assert children == [{"only_units": [1, 2]}]
    left = job.shard(shard.id)
    assert (left["unit_count"], left["only_units"]) == (1, [0])


def test_a_claim_nobody_heard_of_goes_back_without_counting_as_lost(job: RunningJob) -> None:
    shard = job.claimed(job.shard_ids()[0])
    with job.engine.begin() as tx:
        assert not shards.release_unseen(tx, shard.id, "wrk_b"), "that is not its shard"
        assert shards.release_unseen(tx, shard.id, "wrk_a")
    row = job.shard(shard.id)
    assert (row["status"], row["lost"], row["dispatched_at"]) == ("pending", 0, None)
    assert not job.settle(shard, [0]), "its fence is of no use any more"
    assert job.claimed(shard.id).fence == shard.fence + 1


# a full disk, a silent server


def test_a_full_disk_is_told_at_once_to_who_can_say_so_and_waited_for_by_who_holds_something(
    database: Engine,
) -> None:
    tried: list[float] = []

    def write(tx: Connection) -> int:
        tried.append(time.monotonic())
        if len(tried) % 4:
            tx.execute(FULL)
        return len(tried)

    with pytest.raises(DBAPIError) as raised:
        retrying(database, write)
    assert len(tried) == 1
    assert is_full(raised.value)
    assert is_transient(raised.value)
    assert retrying(database, write, until=lambda: False) == 4
    with pytest.raises(DBAPIError):
        retrying(database, write, until=lambda: len(tried) == 6)
    assert len(tried) == 6


def test_a_server_that_does_not_answer_is_left(settings: Settings) -> None:
    silent = open_patiently(0.3, settings.database_url)
    with pytest.raises(psycopg.OperationalError, match=r"did not answer within 0\.3 s"):
        silent.execute("SELECT pg_sleep(60)")
    assert silent.closed


def test_an_error_the_server_told_leaves_the_connection(settings: Settings) -> None:
    with open_patiently(5, settings.database_url) as told:
        told.execute("SET statement_timeout = 50")
        with pytest.raises(psycopg.errors.QueryCanceled):
            told.execute("SELECT pg_sleep(60)")
        told.rollback()
        assert told.execute("SELECT 1").fetchone() == (1,)


def test_leases_that_ran_out_while_postgres_was_away_can_be_extended_still(
    job: RunningJob,
) -> None:
    shard = job.claimed(job.shard_ids()[0])
    job.lose(shard)
    assert rescue_expired(job.engine, lambda: False) == set()
    key = (shard.id, shard.fence)
    with job.engine.begin() as tx:
        assert key in shards.extend_leases(tx, "wrk_a", [key], 30.0)
    assert rescue_expired(job.engine, lambda: True) == set()
    assert job.shard(shard.id)["lost"] == 0


# events


def test_a_page_of_events_skips_none_that_is_committed_later(
    job: RunningJob, beside: ThreadPoolExecutor
) -> None:
    """Numbers come from the job's row: who has the next one waits for whoever has this one."""
    seen = page(job, after=0)[-1]["seq"]
    with job.engine.begin() as tx:
        events.append(tx, job.id, "test.slow", actor="test", data={})

        # when a second transaction tells of the job while the first is not committed
        quick = beside.submit(append, job, "test.quick")
        until_one_waits(job)
        assert page(job, after=seen) == []
    quick.result(30)

    # then a reader that pages on misses neither, in the order of their numbers
    fresh = page(job, after=seen)
    assert [one["type"] for one in fresh] == ["test.slow", "test.quick"]
    assert [one["seq"] for one in fresh] == [seen + 1, seen + 2]


def test_a_reader_that_pages_while_many_write_sees_every_event_once(
    job: RunningJob, beside: ThreadPoolExecutor
) -> None:
    began = page(job, after=0)[-1]["seq"]
    writers: list[Future[None]] = [
        beside.submit(append_many, job, f"test.{name}") for name in ("a", "b")
    ]
    seen, after = [], began
    while True:
        over = all(one.done() for one in writers)
        fresh = page(job, after=after)
        seen += [one["seq"] for one in fresh]
        after = seen[-1] if seen else after
        if over and not fresh:
            break
    for one in writers:
        one.result()
    assert seen == list(range(began + 1, began + 1 + 2 * EVENTS))


def append_many(job: RunningJob, type_: str) -> None:
    for number in range(EVENTS):
        append(job, f"{type_}.{number}")


def append(job: RunningJob, type_: str) -> None:
    with job.engine.begin() as tx:
        events.append(tx, job.id, type_, actor="test", data={})


def page(job: RunningJob, after: int) -> list[dict[str, object]]:
    with job.engine.connect() as connection:
        return events.page(connection, job.id, after=after, limit=1000)


def until_one_waits(job: RunningJob) -> None:
    waits = """SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'
      AND datname = current_database()"""
    eventually(lambda: job.rows(waits)[0]["n"] > 0, within=30, every=0.01)
