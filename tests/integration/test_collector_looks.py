"""What the collector looks for now and then: one job that raises holds up nothing else."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from services.collector.after_outage import AfterOutage
from services.collector.collect_job import Collector
from services.collector.looks import Bells, erase, look_for_lost, sweep_hourly
from shared.settings import Settings
from tests.integration.running_job import RunningJob, running_job

RAISE = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'nobody foresaw it'; END $$"""
LATE = "UPDATE jobs SET deadline_at = now() - interval '1 h' * :hours WHERE id = :id"
UNTIL = """UPDATE jobs SET paused_from = status, status = 'paused', status_reason =
  '{"kind": "budget", "scope": "day", "until": "2020-01-01T00:00:00Z"}' WHERE id = :id"""


@pytest.fixture
def jobs(database: Engine, settings: Settings) -> list[RunningJob]:
    """Three jobs of nine units, the first of which nobody can write to."""
    made = [running_job(database, settings) for _ in range(3)]
    made[0].run(RAISE)
    return made


def refuse(job: RunningJob, what: str, when: str) -> None:
    job.run(f"CREATE TRIGGER refuse BEFORE {what} FOR EACH ROW WHEN ({when}) "
            "EXECUTE FUNCTION refuse()")  # fmt: skip


def look(job: RunningJob) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {"collect": [], "dispatch": [], "plan": []}
    bells = Bells(told["collect"].append, told["dispatch"].append, told["plan"].append)
    collector = Collector(job.engine, job.settings, lambda _: None)
    outage = AfterOutage(job.settings.lease_s, job.settings.heartbeat_s)
    look_for_lost(collector, outage, bells)
    return told


def test_a_deadline_that_raises_keeps_no_other_job_waiting(jobs: list[RunningJob]) -> None:
    # given two jobs that are late, of which the one that is looked at first cannot be ended
    bad, late, rested = jobs
    bad.run(LATE, hours=2, id=bad.id)
    late.run(LATE, hours=1, id=late.id)
    rested.run(UNTIL, id=rested.id)
    refuse(bad, "UPDATE ON jobs", f"NEW.id = '{bad.id}' AND NEW.status = 'finalizing'")

    # when the collector looks, then the other ends, and the steps after it are done
    told = look(bad)
    assert [one.rows("SELECT status FROM jobs WHERE id = :id", id=one.id)[0]["status"]
            for one in jobs] == ["running", "finalizing", "running"]  # fmt: skip
    assert told == {
        "collect": [late.id, rested.id], "dispatch": [rested.id], "plan": [rested.id],
    }  # fmt: skip


def test_a_rescue_that_raises_keeps_no_deadline_waiting(jobs: list[RunningJob]) -> None:
    bad, late, _ = jobs
    bad.lose(bad.claimed(bad.shard_ids()[0]))
    refuse(bad, "UPDATE ON shards", f"NEW.job_id = '{bad.id}' AND NEW.lost > 0")
    late.run(LATE, hours=1, id=late.id)
    assert look(bad)["collect"] == [late.id]


def test_a_sweep_that_raises_keeps_no_other_waiting(jobs: list[RunningJob]) -> None:
    job = jobs[0]
    job.run("INSERT INTO tables (id, name, project_id, kind, status, columns, created_at) "
            "SELECT 'tbl_left', 'left', project_id, 'input', 'loading', '[]', "
            "now() - interval '1 day' FROM jobs LIMIT 1")  # fmt: skip
    refuse(job, "DELETE ON tables", "OLD.id = 'tbl_left'")
    job.run("UPDATE workers SET seen_at = now() - interval '2 days'")
    job.run("UPDATE jobs SET status = 'failed', finished_at = now() - interval '9 days'")
    sweep_hourly(job.engine, replace(job.settings, keep_jobs_days=1))
    assert job.rows("SELECT id FROM tables WHERE id = 'tbl_left'")
    assert job.rows("SELECT id FROM workers") == []
    assert job.rows("SELECT id FROM jobs WHERE deleted_at IS NULL") == []


def test_a_job_that_cannot_be_erased_keeps_no_other_from_being(jobs: list[RunningJob]) -> None:
    bad, *rest = jobs
    refuse(bad, "DELETE ON shards", f"OLD.job_id = '{bad.id}'")
    bad.run("UPDATE jobs SET status = 'failed', finished_at = now(), deleted_at = now()")
    erase(bad.engine)
    erased = bad.rows("SELECT id FROM jobs WHERE erased_at IS NOT NULL ORDER BY id")
    assert [row["id"] for row in erased] == sorted(one.id for one in rest)
