"""What is past its time goes, in batches; what is not, and the audit log, stay."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from services.collector import retain as retaining
from services.collector.erase_deleted import erase_deleted
from services.collector.retain import retain
from shared.settings import Settings
from tests.integration.running_job import RunningJob, running_job

LATER = "UPDATE jobs SET finished_at = finished_at - interval '31 days' WHERE id = :id"


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """A job that ended just now."""
    return ended(database, settings)


def ended(database: Engine, settings: Settings) -> RunningJob:
    made = running_job(database, settings, units=4)
    made.work_off()
    made.collect()
    assert made.status() == "succeeded"
    return made


def counts(job: RunningJob) -> tuple[int, int]:
    """Return how many results there are, and how many chunks of tables of jobs."""
    [row] = job.rows("""SELECT (SELECT count(*) FROM results) AS results,
      (SELECT count(*) FROM table_chunks c JOIN tables t ON t.id = c.table_id
        WHERE t.job_id IS NOT NULL) AS chunks""")
    return row["results"], row["chunks"]


def test_a_job_past_its_time_leaves_a_tombstone_and_its_audit(
    job: RunningJob, settings: Settings
) -> None:
    kept = ended(job.engine, settings)
    job.run(LATER, id=job.id)
    retain(job.engine, settings)
    erase_deleted(job.engine)
    assert counts(job) == (4, 1), "the other job's"
    [tombstone] = job.rows("SELECT goal, deleted_at FROM jobs WHERE id = :id", id=job.id)
    assert tombstone["deleted_at"] is not None
    [told] = job.rows("SELECT actor, object_id FROM audit_log WHERE action = 'job.delete'")
    assert (told["actor"], told["object_id"]) == ("retention", job.id)
    assert kept.results().keys() == {0, 1, 2, 3}


def test_a_job_another_one_is_made_from_waits_for_it(job: RunningJob, settings: Settings) -> None:
    child = running_job(job.engine, settings, units=4)
    job.run(LATER, id=job.id)
    job.run("UPDATE jobs SET retry_of = :parent WHERE id = :id", parent=job.id, id=child.id)
    retain(job.engine, settings)
    assert job.rows("SELECT 1 FROM jobs WHERE deleted_at IS NOT NULL") == []
    child.work_off()
    child.collect()
    retain(job.engine, settings)
    assert [row["id"] for row in job.rows("SELECT id FROM jobs WHERE deleted_at IS NOT NULL")] == [
        job.id
    ]


def test_zero_days_keep_for_ever(job: RunningJob, settings: Settings) -> None:
    job.run(LATER, id=job.id)
    retain(job.engine, replace(settings, keep_jobs_days=0, keep_raw_days=0))
    assert job.rows("SELECT 1 FROM jobs WHERE deleted_at IS NOT NULL") == []


def test_raw_answers_go_before_their_attempts(
    job: RunningJob, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "ROWS", 2)  # several batches
    job.run("""INSERT INTO attempts (stage_id, unit, number, shard_id, fence, outcome, raw,
        ended_at)
      SELECT s.stage_id, n, 1, s.id, 1, 'retry', 'raw ' || n,
        now() - make_interval(days => 2 * n)
      FROM (SELECT min(id) AS id, min(stage_id) AS stage_id FROM shards) s,
        generate_series(0, 8) n""")
    job.run("""INSERT INTO planning_calls (job_id, round, no, request_hash, reply, created_at)
      SELECT id, 1, 1, '', '{}', now() - interval '8 days' FROM jobs""")
    retain(job.engine, settings)
    left = job.rows("SELECT unit FROM attempts WHERE raw IS NOT NULL ORDER BY unit")
    assert [row["unit"] for row in left] == [0, 1, 2, 3]
    assert job.rows("SELECT count(*) AS n FROM attempts") == [{"n": 9}]
    assert job.rows("SELECT 1 FROM planning_calls") == []
