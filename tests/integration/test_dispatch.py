"""Due shards go out within each job's window, and again when nobody claimed them."""

from collections import Counter
from dataclasses import replace

import pytest
import redis
from sqlalchemy import Engine

from services.planner.dispatch_job import dispatch_due
from shared.broker.app import SHARD_QUEUES, make_app
from shared.database import shards
from shared.settings import Settings
from tests.integration.running_job import RunningJob, live_worker, running_job


class Dispatch:
    """Dispatching into an emptied Redis of its own database number."""

    def __init__(self, engine: Engine, settings: Settings, redis_url: str) -> None:
        self.engine, self.settings = engine, replace(settings, redispatch_s=15.0)
        self.app = make_app("tests", redis_url)
        self.client = redis.Redis.from_url(redis_url, socket_timeout=5)

    def __call__(self) -> int:
        return dispatch_due(self.engine, self.app, self.settings)

    def queued(self) -> int:
        return int(self.client.llen(SHARD_QUEUES["cpu"]))


@pytest.fixture
def dispatch(database: Engine, settings: Settings) -> Dispatch:
    made = Dispatch(database, settings, settings.redis_url.removesuffix("/0") + "/3")
    made.client.flushdb()
    return made


def out(*made: RunningJob) -> list[int]:
    """Return how many shards of each job are out."""
    counts = Counter(row["job_id"] for row in made[0].rows(
        "SELECT job_id FROM shards WHERE status = 'dispatched'"))  # fmt: skip
    return [counts[one.id] for one in made]


def test_a_job_gets_twice_the_slots_and_no_more(
    database: Engine, settings: Settings, dispatch: Dispatch
) -> None:
    live_worker(database, slots=4)
    job = running_job(database, settings, units=40, shard_size=1)
    assert [dispatch(), dispatch()] == [8, 0]
    assert dispatch.queued() == 8
    assert job.shard_ids("dispatched") == job.shard_ids()[:8]

    # and the next as soon as one of them ended
    shard = job.claimed(job.shard_ids()[0])
    assert dispatch() == 0  # it runs: its place is taken
    job.settle(shard, shard.units)
    job.finish(shard)
    assert dispatch() == 1


def test_a_small_job_does_not_wait_behind_a_huge_one(
    database: Engine, settings: Settings, dispatch: Dispatch
) -> None:
    live_worker(database, slots=4)
    huge = running_job(database, settings, units=200, shard_size=1)
    assert dispatch() == 8
    small = running_job(database, settings, units=3, shard_size=1)
    dispatch()
    assert out(huge, small) == [8, 3]


def test_priority_is_a_share_and_nobody_gets_less_than_two(
    database: Engine, settings: Settings, dispatch: Dispatch
) -> None:
    live_worker(database, slots=10)
    urgent = running_job(database, settings, units=50, shard_size=1, priority=9)
    idle = running_job(database, settings, units=50, shard_size=1, priority=1)
    dispatch()
    assert out(urgent, idle) == [18, 2]


def test_projects_share_by_weight_however_many_jobs_they_have(
    database: Engine, settings: Settings, dispatch: Dispatch
) -> None:
    # given three jobs of one project, and one of another that weighs three times as much
    live_worker(database, slots=12)
    many = [running_job(database, settings, units=50, shard_size=1) for _ in range(3)]
    single = running_job(database, settings, units=50, shard_size=1)
    single.run("INSERT INTO projects (id, name, weight) VALUES ('prj_other', 'other', 3)")
    single.run("UPDATE jobs SET project_id = 'prj_other' WHERE id = :id", id=single.id)
    dispatch()
    assert out(*many, single) == [2, 2, 2, 18]


def test_what_nobody_claimed_goes_out_again_after_a_while(
    database: Engine, settings: Settings, dispatch: Dispatch
) -> None:
    job = running_job(database, settings, units=2, shard_size=1)
    assert [dispatch(), dispatch()] == [2, 0]
    job.run("UPDATE shards SET dispatched_at = now() - interval '16 s' WHERE id = :id",
            id=job.shard_ids()[1])  # fmt: skip
    assert dispatch() == 1
    assert dispatch.queued() == 3


def test_all_goes_out_again_when_redis_forgot(
    database: Engine, settings: Settings, dispatch: Dispatch
) -> None:
    job = running_job(database, settings, units=3, shard_size=1)
    live_worker(database)
    assert dispatch() == 3
    job.claimed(job.shard_ids()[0])
    with database.begin() as tx:
        assert shards.forget_dispatches(tx) == 2
    assert dispatch() == 2


def test_what_is_not_due_or_does_not_run_stays(
    database: Engine, settings: Settings, dispatch: Dispatch
) -> None:
    job = running_job(database, settings, units=3, shard_size=1)
    job.run("UPDATE shards SET due_at = now() + interval '1 hour'")
    assert dispatch() == 0
    job.run("UPDATE shards SET due_at = now()")
    job.run("UPDATE jobs SET status = 'paused'")
    assert dispatch() == 0
