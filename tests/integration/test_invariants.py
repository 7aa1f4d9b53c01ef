"""The auditor finds what breaks an invariant, and nothing where all is well."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.collector.audit import audit
from shared.database.invariants import QUERIES, breaches
from shared.settings import Settings
from tests.integration.running_job import RunningJob, running_job

BROKEN: dict[str, str] = {
    "ledger": "DELETE FROM results WHERE unit = 4",
    "shards_part_the_units": "UPDATE shards SET unit_count = 7, succeeded = 7 WHERE id = "
    "(SELECT min(id) FROM shards)",
    "shard_counts": "UPDATE results SET shard_id = (SELECT min(id) FROM shards)",
    "table_rows": "DELETE FROM table_chunks WHERE table_id = (SELECT output_table_id FROM stages)",
    "final_without_open_shards": "UPDATE shards SET status = 'pending'",
    "one_ending": "DELETE FROM events WHERE type = 'job.finished'",
    "books": "INSERT INTO spend_accounts (id, project_id, job_id, reserved_microusd) "
    "SELECT id, project_id, id, 5 FROM jobs",
}
FORGOTTEN: dict[str, str] = {
    "rescued_in_time": "UPDATE shards SET status = 'running', lease_until = now() - interval '1 h'",
    "goes_on": "UPDATE jobs SET started_at = now() - interval '1 h'; UPDATE shards "
    "SET status = 'cancelled'; UPDATE stages SET status = 'abandoned', "
    "closed_at = now() - interval '1 h'",
}


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """Nine units in three shards."""
    return running_job(database, settings)


def broken(job: RunningJob, **how: Any) -> set[str]:
    with job.engine.connect() as connection:
        return {breach.invariant for breach in breaches(connection, **how)}


def ended(job: RunningJob) -> RunningJob:
    job.work_off()
    job.collect()
    assert job.status() == "succeeded"
    return job


def test_a_job_breaks_nothing_at_any_time_of_its_life(job: RunningJob) -> None:
    assert broken(job) == set()
    job.claimed(job.shard_ids()[0])
    assert broken(job) == set()
    job.lose(job.claimed(job.shard_ids()[1]))
    assert broken(job) == set(), "a lease that ended just now is no alarm yet"


def test_an_ended_job_breaks_nothing(job: RunningJob) -> None:
    assert broken(ended(job)) == set()


@pytest.mark.parametrize("invariant", BROKEN)
def test_what_was_tampered_with_after_the_end_is_found(job: RunningJob, invariant: str) -> None:
    ended(job).run(BROKEN[invariant])
    assert invariant in broken(job)
    assert [breach for breach in audit(job.engine) if breach.invariant == invariant]


@pytest.mark.parametrize("invariant", FORGOTTEN)
def test_what_nobody_takes_care_of_is_found(job: RunningJob, invariant: str) -> None:
    for statement in FORGOTTEN[invariant].split(";"):
        job.run(statement)
    assert invariant in broken(job)


def test_the_slices_are_read_once_however_many_accounts_there_are(job: RunningJob) -> None:
    # given a slice that neither the job's account nor the project's knows of, and more accounts
    job.run("INSERT INTO spend_accounts (id, project_id) SELECT project_id, project_id FROM jobs")
    job.run(
        "INSERT INTO spend_accounts (id, project_id, job_id) SELECT id, project_id, id FROM jobs"
    )
    job.run("INSERT INTO projects (id, name) SELECT 'p' || n, n FROM generate_series(1, 50) n")
    job.run(
        "INSERT INTO spend_accounts (id, project_id) SELECT id, id FROM projects "
        "WHERE id ~ '^p[0-9]'"
    )
    assert "books" not in broken(job)
    job.run(
        "INSERT INTO spend (job_id, worker_id, project_id, reserved_microusd, lease_until) "
        "SELECT id, 'wrk_a', project_id, 5, now() FROM jobs"
    )

    # then both are found
    with job.engine.connect() as connection:
        found = {one.object_id for one in breaches(connection) if one.invariant == "books"}
        plan = connection.execute(text("EXPLAIN (ANALYZE, FORMAT JSON) " + QUERIES["books"]))
        [nodes] = plan.scalar_one()
    [project] = job.rows("SELECT project_id FROM jobs")
    assert found == {job.id, project["project_id"]}
    assert looks_at("spend", nodes["Plan"]) == 1


def looks_at(table: str, node: dict[str, Any]) -> int:
    """Return how often a plan that was run went through a table."""
    own = node["Actual Loops"] if node.get("Relation Name") == table else 0
    return int(own) + sum(looks_at(table, below) for below in node.get("Plans", []))


def test_every_invariant_has_a_case_that_breaks_it() -> None:
    # the database itself refuses a closed stage with unexplained units: that one stays unshown
    assert QUERIES.keys() - BROKEN.keys() - FORGOTTEN.keys() == {"units_explained"}
