"""Closing, abandoning and finalising: once, whoever asks and however often."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine

from services.collector.close_stage import close_stage
from services.collector.finalize_job import finalize_job
from services.collector.seal_stage import seal_stage
from shared.actions.stop_job import stop_job
from shared.database import jobs, tables
from shared.settings import Settings
from shared.tables.store import read_range, rows_of, visible
from tests.integration.running_job import WORDS, RunningJob, plan_of, running_job

AGAIN: dict[str, Any] = {**WORDS, "name": "again", "over": "words", "params": {
    "field": "word", "patterns": {"once_more": "\\w+"}}}  # fmt: skip
STILL: dict[str, Any] = {**WORDS, "name": "still", "over": "again", "params": {
    "field": "once_more", "patterns": {"at_last": "\\w+"}}}  # fmt: skip


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """Nine units in three shards of one stage."""
    return running_job(database, settings)


def output(job: RunningJob, stage: str = "words") -> list[dict[str, Any]]:
    with job.engine.connect() as connection:
        table = tables.find(connection, job.stage(stage).output_table_id)
        assert table is not None
        found = read_range(connection, table, 0, table.row_count)
    return rows_of(visible(found.rows, table.columns))


def events(job: RunningJob) -> list[str]:
    return [row["type"] for row in job.rows("SELECT type FROM events ORDER BY seq")]


def test_a_job_ends_with_a_table_in_unit_order_whatever_ended_first(job: RunningJob) -> None:
    for shard_id in reversed(job.shard_ids()):
        shard = job.claimed(shard_id)
        job.settle(shard, reversed(shard.units))
        job.finish(shard)
    job.collect()
    assert job.status() == "succeeded"
    assert output(job) == [{"id": n, "word": f"w{n}"} for n in range(9)]


def test_collectors_at_once_close_and_finalise_once(job: RunningJob) -> None:
    job.work_off()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: job.collect(), range(18)))
    assert job.status() == "succeeded"
    assert output(job) == [{"id": n, "word": f"w{n}"} for n in range(9)]
    found = events(job)
    assert found.count("stage.closed") == 1
    assert found.count("job.finished") == 1


def test_nothing_happens_while_a_shard_is_open(job: RunningJob) -> None:
    job.claimed(job.shard_ids()[0])
    job.collect()
    assert (job.status(), job.stage().status) == ("running", "open")


def test_failed_units_are_counted_and_left_out(job: RunningJob) -> None:
    shard = job.claimed(job.shard_ids()[1])
    job.settle(shard, [3, 5])
    job.settle(shard, [4], "invalid")
    job.finish(shard)
    job.work_off()
    job.collect()
    assert job.status() == "partial"
    assert [row["id"] for row in output(job)] == [0, 1, 2, 3, 5, 6, 7, 8]
    [row] = job.rows("SELECT coverage, error, failures FROM jobs")
    assert row["coverage"]["stages"]["words"] == {
        "units": 9, "succeeded": 8, "failed": 1, "skipped": 0, "cancelled": 0,
    }  # fmt: skip
    assert row["error"]["code"] == "below_min_success"
    [cluster] = row["failures"]
    assert (cluster["code"], cluster["count"], cluster["sample_unit"]) == ("broken", 1, 4)


def test_too_many_failures_abandon_the_stage_and_all_that_would_read_it(
    database: Engine, settings: Settings
) -> None:
    made = running_job(database, settings, plan=plan_of({**WORDS, "max_failed": 0.5}, AGAIN, STILL))
    first, *_ = made.shard_ids()
    shard = made.claimed(first)
    made.settle(shard, shard.units)
    made.finish(shard)
    made.work_off("failed")
    made.collect()
    assert {name: made.stage(name).status for name in ("words", "again", "still")} == dict.fromkeys(
        ("words", "again", "still"), "abandoned"
    )
    reasons = [
        (made.stage(name).status_reason or {})["kind"] for name in ("words", "again", "still")
    ]
    assert reasons == ["max_failed", "input_abandoned", "input_abandoned"]
    assert made.status() == "failed"
    assert events(made).count("stage.abandoned") == 1


def test_just_as_many_failures_as_allowed_close_the_stage(
    database: Engine, settings: Settings
) -> None:
    made = running_job(
        database, settings, units=4, shard_size=2, plan=plan_of({**WORDS, "max_failed": 0.5})
    )
    shard = made.claimed(made.shard_ids()[0])
    made.settle(shard, shard.units)
    made.finish(shard)
    made.work_off("failed")
    made.collect()
    assert (made.stage().status, made.status()) == ("closed", "partial")


def test_closing_rings_the_planner_for_what_is_next(database: Engine, settings: Settings) -> None:
    made = running_job(database, settings, plan=plan_of(WORDS, AGAIN))
    made.work_off()
    made.rung.clear()
    made.collect()
    assert made.rung == [made.id]
    assert made.status() == "running"
    made.plan()
    made.work_off(column="once_more")
    made.collect()
    assert made.status() == "succeeded"


def test_a_ledger_that_differs_is_told_and_what_was_sealed_of_it_is_written_anew(
    job: RunningJob,
) -> None:
    # given a result that was lost
    job.work_off()
    job.run("CREATE TABLE kept AS SELECT * FROM results WHERE unit = 4")
    job.run("DELETE FROM results WHERE unit = 4")
    job.collect()
    [row] = job.rows("SELECT status, status_reason FROM jobs")
    assert row["status"] == "running"
    assert row["status_reason"]["kind"] == "ledger_mismatch"
    assert (
        job.rows("SELECT no FROM table_chunks WHERE table_id = :id", id=job.stage().output_table_id)
        == []
    )

    # when it is mended
    job.run("INSERT INTO results SELECT * FROM kept")
    job.run("UPDATE stages SET seal_lease_until = now()")
    job.collect()

    # then nothing is missing
    assert job.status() == "succeeded"
    assert [row["id"] for row in output(job)] == list(range(9))
    assert job.rows("SELECT status_reason FROM jobs") == [{"status_reason": None}]


def test_a_cancelled_job_counts_what_never_ran_as_cancelled(
    job: RunningJob, database: Engine
) -> None:
    shard = job.claimed(job.shard_ids()[0])
    job.settle(shard, [0, 1])
    with database.begin() as tx:
        stop_job(tx, job.id, "cancelled", actor="tests")
    job.collect()
    job.collect()
    assert job.status() == "cancelled"
    stage = job.stage()
    assert (stage.status, stage.succeeded, stage.cancelled) == ("abandoned", 2, 7)
    assert events(job).count("job.finished") == 1


def test_a_stage_is_not_closed_twice_nor_when_its_job_stopped_meanwhile(
    job: RunningJob, database: Engine
) -> None:
    # given a collector that has sealed and is about to close
    job.work_off()
    job.run("UPDATE stages SET status = 'sealing'")
    stage = job.stage()
    sealed = seal_stage(database, job.settings, stage)

    # when the job is stopped before it does
    with database.begin() as tx:
        stop_job(tx, job.id, "cancelled", actor="tests")
    with database.begin() as tx:
        assert close_stage(tx, stage, sealed) is None
    job.collect()

    # then the stage is abandoned, and stays so
    with database.begin() as tx:
        assert close_stage(tx, stage, sealed) is None
    assert (job.status(), job.stage().status) == ("cancelled", "abandoned")
    assert "stage.closed" not in events(job)


def test_final_is_final(job: RunningJob, database: Engine) -> None:
    job.work_off()
    job.collect()
    with database.begin() as tx:
        assert jobs.stop(tx, job.id, "cancelled") is None
        assert not finalize_job(tx, job.id)
        assert jobs.lease_for_planning(tx, job.id, "wrk_x", 30.0) is None
    assert job.status() == "succeeded"
