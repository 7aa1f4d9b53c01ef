"""A planner that lost its lease writes nothing any more: neither a plan nor the end of a job."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from services.planner.engines.endpoint_breakers import EndpointBreakers
from services.planner.write_plan import write_plan
from shared.database import jobs
from shared.database.jobs import JobRecord
from shared.settings import Settings
from tests.integration.api_door import JOB, Api

SLOW, QUICK = "planner that slept", "planner that took over"
UNKNOWN_GOAL = {"goal": "Sing the tickets", "planning": "rules", "inputs": JOB["inputs"]}


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def lease(database: Engine, job_id: str, planner: str, lease_s: float) -> JobRecord:
    with database.begin() as tx:
        job = jobs.lease_for_planning(tx, job_id, planner, lease_s)
    assert job is not None
    return job


def taken_over(database: Engine, job_id: str) -> JobRecord:
    """Lease the job for one planner and, its lease over, for another; return what the first had."""
    job = lease(database, job_id, SLOW, -1)
    lease(database, job_id, QUICK, 60)
    return job


def status(database: Engine, job_id: str) -> str:
    with database.connect() as connection:
        found = connection.execute(text("SELECT status FROM jobs WHERE id = :id"), {"id": job_id})
        return str(found.scalar_one())


def test_a_late_refusal_does_not_fail_the_job_of_another_planner(
    api: Api, settings: Settings, database: Engine
) -> None:
    # given a job whose first planner slept past its lease
    job = taken_over(database, api.submit(plan=None, **UNKNOWN_GOAL)["id"])

    # when it finds that there is no plan
    write_plan(database, settings, job, SLOW, EndpointBreakers())

    # then only the one that holds the lease may say so
    assert status(database, job.id) == "planning"
    write_plan(database, settings, job, QUICK, EndpointBreakers())
    assert status(database, job.id) == "failed"


def test_a_late_plan_is_not_shown(api: Api, settings: Settings, database: Engine) -> None:
    job = taken_over(database, api.submit()["id"])
    assert not write_plan(database, settings, job, SLOW, EndpointBreakers())
    assert status(database, job.id) == "planning"
    assert write_plan(database, settings, job, QUICK, EndpointBreakers())
    assert status(database, job.id) == "running"
