"""results.ready and subtask.failed: together they tell of every unit once, in few webhooks."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine, text

from shared.actions.actor import Actor
from shared.actions.job_request import WebhookRequest
from shared.actions.keys import ensure_default_project
from shared.actions.webhook_endpoints import create_endpoint
from shared.contracts.cursors import noted_cursor
from shared.database import erasure, webhook_batches
from shared.settings import Settings
from tests.integration.running_job import RunningJob, queued_job
from tests.integration.webhook_desk import Desk, desk_settings

URL = "https://hooks.example/in"


@pytest.fixture
def desk(database: Engine, settings: Settings) -> Desk:
    return Desk(database, desk_settings(settings, webhook_batch_s=0.0))


def listening(desk: Desk, *events: str) -> str:
    """Add an endpoint of the default project."""
    with desk.engine.begin() as tx:
        actor = Actor(ensure_default_project(tx), None, frozenset({"admin"}))
    wanted = WebhookRequest(URL, events)
    made, _ = create_endpoint(desk.engine, desk.settings, actor, wanted, "", lambda *_: None)
    return made.id


def told(desk: Desk) -> list[dict[str, Any]]:
    """Let the notifier work and return what went out now: type and data."""
    before = len(desk.sent)
    desk.work()
    return [json.loads(body) for body in desk.bodies()[before:]]


def settle(job: RunningJob, shard_id: int, failed: tuple[int, ...] = ()) -> None:
    shard = job.claimed(shard_id)
    job.settle(shard, [unit for unit in shard.units if unit not in failed])
    job.settle(shard, failed, "invalid")
    job.finish(shard)


def test_shards_that_ended_since_the_last_look_are_told_together_with_where_to_read_on(
    desk: Desk, settings: Settings
) -> None:
    # given a running job of three shards of three units
    listening(desk, "results.ready", "subtask.failed", "job.finished")
    job = queued_job(desk.engine, settings).plan()
    first, second, third = job.shard_ids()
    assert told(desk) == []

    # when two ended, one with a failure, and the collector noted them
    settle(job, second)
    settle(job, first, failed=(1,))
    assert told(desk) == [], "not noted yet"
    job.collect()

    # then one webhook tells of both, and one of the failure
    ready, failed = told(desk)
    [project_id] = [row["project_id"] for row in job.rows("SELECT project_id FROM jobs")]
    assert (ready["type"], ready["data"]["units"]) == ("results.ready", 5)
    assert ready["data"]["cursor"] == noted_cursor(project_id, job.id, "words", "succeeded", 1)
    assert (failed["type"], failed["data"]["units"]) == ("subtask.failed", 1)
    [stage] = failed["data"]["stages"]
    assert stage["cursor"] == noted_cursor(project_id, job.id, "words", "failed", 2)
    assert told(desk) == []

    # and the last shard is told before the job is forgotten, wherever it ended in between
    settle(job, third)
    job.collect()
    assert job.status() == "partial"
    finished, last = told(desk)
    assert (finished["type"], last["type"]) == ("job.finished", "results.ready")
    assert last["data"]["units"] == 3
    assert last["data"]["cursor"] == noted_cursor(project_id, job.id, "words", "succeeded", 3)
    assert job.rows("SELECT * FROM webhook_batches") == []


def test_two_notifiers_tell_a_batch_once(desk: Desk, settings: Settings) -> None:
    listening(desk, "results.ready")
    job = queued_job(desk.engine, settings).plan()
    job.work_off()
    job.collect()

    with desk.engine.begin() as one, desk.engine.begin() as other:
        assert webhook_batches.due(one) is not None
        assert webhook_batches.due(other) is None
    assert len(told(desk)) == 1


def test_an_endpoint_that_comes_later_hears_of_what_ended_before(
    desk: Desk, settings: Settings
) -> None:
    job = queued_job(desk.engine, settings).plan()
    settle(job, job.shard_ids()[0])
    job.collect()
    listening(desk, "results.ready")

    assert [one["data"]["units"] for one in told(desk)] == [3]


def test_a_job_nobody_listens_to_is_not_looked_at(desk: Desk, settings: Settings) -> None:
    listening(desk, "job.finished")
    job = queued_job(desk.engine, settings).plan()
    job.work_off()

    assert job.rows("SELECT * FROM webhook_batches") == []


def test_a_deleted_job_is_told_of_no_more(desk: Desk, settings: Settings) -> None:
    listening(desk, "results.ready")
    job = queued_job(desk.engine, settings).plan()
    job.work_off()
    job.collect()
    with desk.engine.begin() as tx:
        erasure.bury(tx, job.id)

    assert told(desk) == []
    with desk.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM webhook_batches")).scalar_one() == 0
