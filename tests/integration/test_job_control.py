"""Transitions of job control on a real database: who may begin what, and who is left alone."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.collector.deadlines import finish_overdue
from services.collector.stragglers import mark_stragglers
from services.planner.dispatch_job import dispatch_due
from services.planner.plan_job import Planner, plan_job
from shared.actions.finish_early import finish_early, finish_now
from shared.actions.hold_work import hold_work, let_work_go
from shared.actions.refusals import NotFound
from shared.broker.app import make_app
from shared.database import keys, pauses, shards
from shared.database.shards import Standing
from shared.domain.ids import new_id
from shared.settings import Settings
from tests.integration.running_job import LEASE_S, RunningJob, live_worker, queued_job, running_job

REASON = {"kind": "finalized", "by": "key:test"}


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """Three shards of three units."""
    return running_job(database, settings, units=9, shard_size=3)


def in_tx(engine: Engine, work: Callable[..., Any], *values: Any, **named: Any) -> Any:
    with engine.begin() as tx:
        return work(tx, *values, **named)


def finish(job: RunningJob, settle_s: float = 60.0) -> Any:
    return in_tx(job.engine, finish_now, job.id, REASON, actor="key:test", settle_s=settle_s)


def standing(job: RunningJob, shard: Any) -> Standing | None:
    key = (shard.id, shard.fence)
    found: dict[Any, Standing] = in_tx(job.engine, shards.extend_leases, "wrk_a", [key], LEASE_S)
    return found.get(key)


def stage_row(job: RunningJob) -> dict[str, Any]:
    [row] = job.rows("SELECT * FROM stages WHERE job_id = :job", job=job.id)
    return row


# finishing early


def test_units_under_way_settle_and_the_rest_is_skipped(job: RunningJob) -> None:
    # given a job with one shard claimed, and a unit of it settled
    shard = job.claimed(job.shard_ids()[0])
    job.settle(shard, [0])
    assert finish(job) is not None
    assert finish(job) is None, "it ends already"

    # then its worker may settle what runs, and nobody begins anything
    assert standing(job, shard) == Standing(halted=True)
    assert job.shard_ids("cancelled") == job.shard_ids()[1:]
    job.collect()
    assert job.status() == "finalizing", "a shard still runs"
    assert job.settle(shard, [1])
    in_tx(job.engine, shards.release, shard.id, shard.fence)
    assert job.claim(shard.id) is None

    # and once it lets go the record says what is there
    job.collect()
    assert job.status() == "partial"
    row = stage_row(job)
    assert (row["status"], row["succeeded"], row["skipped"]) == ("closed", 2, 7)
    assert row["status_reason"] == REASON
    [shown] = job.rows("SELECT status_reason, error FROM jobs WHERE id = :id", id=job.id)
    assert shown["status_reason"] == REASON
    assert shown["error"]["code"] == "below_min_success"


def test_what_runs_past_its_time_is_cut_off_and_its_late_writes_are_refused(
    job: RunningJob,
) -> None:
    shard = job.claimed(job.shard_ids()[0])
    job.settle(shard, [0])
    finish(job, settle_s=0.0)
    job.collect()
    assert job.status() == "partial"
    assert standing(job, shard) is None
    assert not job.settle(shard, [1])
    assert job.results() == {0: "succeeded"}


def test_a_stage_that_ends_early_for_its_budget_keeps_what_is_in_flight(job: RunningJob) -> None:
    shard = job.claimed(job.shard_ids()[0])
    budget = {"kind": "budget"}
    with job.engine.begin() as tx:
        assert finish_early(tx, job.id, budget, actor="worker", settle_s=60.0)
    assert job.status() == "running"
    assert standing(job, shard) == Standing(halted=True)
    assert job.settle(shard, [0, 1])
    in_tx(job.engine, shards.release, shard.id, shard.fence)
    assert job.claim(shard.id) is None
    job.collect()
    assert job.status() == "partial"
    assert stage_row(job)["skipped"] == 7


def test_a_planner_that_opens_a_stage_meanwhile_does_not_keep_the_job_alive(
    job: RunningJob,
) -> None:
    finish(job)
    job.run(
        "UPDATE stages SET ended_early = NULL, fully_cut = false WHERE job_id = :id", id=job.id
    )  # as if it was opened a moment later
    job.collect()
    assert job.status() == "failed"
    [shown] = job.rows("SELECT error FROM jobs WHERE id = :id", id=job.id)
    assert shown["error"]["code"] == "no_result"


@pytest.mark.parametrize("status", ["queued", "planning", "paused", "awaiting_approval"])
def test_a_deadline_passes_in_every_state(
    database: Engine, settings: Settings, status: str
) -> None:
    job = queued_job(database, settings, units=3, deadline_s=1000.0)
    job.run("UPDATE jobs SET status = :status WHERE id = :id", status=status, id=job.id)
    assert finish_overdue(database, 1.0) == set()
    job.run("UPDATE jobs SET deadline_at = now() - interval '1 s'")
    assert finish_overdue(database, 1.0) == {job.id}
    assert finish_overdue(database, 1.0) == set()
    job.collect()
    [shown] = job.rows("SELECT status, status_reason FROM jobs WHERE id = :id", id=job.id)
    assert (shown["status"], shown["status_reason"]["kind"]) == ("failed", "deadline")
    events = job.rows("SELECT type, actor FROM events WHERE job_id = :id ORDER BY seq", id=job.id)
    assert [(one["type"], one["actor"]) for one in events] == [
        ("job.finishing_early", "collector"), ("job.finished", "collector"),
    ]  # fmt: skip


# pauses of projects and of everything


@pytest.mark.parametrize("project", ["default", None])
def test_nothing_of_a_paused_project_is_announced_claimed_or_planned(
    database: Engine, settings: Settings, project: str | None
) -> None:
    live_worker(database)
    celery = make_app("tests", settings.redis_url.removesuffix("/0") + "/5")
    job = running_job(database, settings, units=9, shard_size=3)
    waits = queued_job(database, settings, units=3)
    held = job.claimed(job.shard_ids()[0])

    assert in_tx(database, hold_work, project, "operator:test")
    assert not in_tx(database, hold_work, project, "operator:test"), "it is paused already"
    assert dispatch_due(database, celery, settings) == 0
    assert job.claim(job.shard_ids()[1]) is None
    assert standing(job, held) == Standing(halted=True)
    with database.connect() as connection:
        assert shards.due_unheard(connection, ["extract"], 10) == []
        [project_id] = job.rows("SELECT project_id FROM jobs WHERE id = :id", id=job.id)
        reason = pauses.reason(connection, project_id["project_id"])
    assert reason is not None
    assert (reason["kind"], reason["by"]) == ("paused", "operator:test")
    assert reason["scope"] == ("project" if project else "global")
    plan_job(Planner(database, settings, job.rung.append, job.rung.append), waits.id)
    assert waits.status() == "queued"

    assert in_tx(database, let_work_go, project, "operator:test")
    assert dispatch_due(database, celery, settings) == 2
    assert job.claim(job.shard_ids()[1]) is not None
    assert waits.plan().status() == "running"
    actions = job.rows("SELECT action, actor FROM audit_log WHERE action LIKE 'work.%'")
    assert [one["action"] for one in actions] == ["work.pause", "work.resume"]


def test_another_project_is_not_held_up(job: RunningJob) -> None:
    in_tx(job.engine, keys.insert_project, new_id("prj"), "other")
    assert in_tx(job.engine, hold_work, "other", "operator:test")
    assert job.claim(job.shard_ids()[0]) is not None
    with pytest.raises(NotFound):
        in_tx(job.engine, hold_work, "nobody", "operator:test")


# stragglers


def test_a_shard_that_takes_three_times_the_median_gives_back_what_is_not_begun(
    database: Engine, settings: Settings
) -> None:
    # given three shards done in a second each, and two that run
    job = running_job(database, settings, units=50, shard_size=10)
    ids = job.shard_ids()
    for id_ in ids[:3]:
        shard = job.claimed(id_)
        job.settle(shard, shard.units)
        job.finish(shard)
    slow, quick = job.claimed(ids[3]), job.claimed(ids[4])
    job.collect()
    mark_stragglers(database)
    assert standing(job, slow) == Standing(halted=False), "there is time"
    ago = "UPDATE shards SET claimed_at = claimed_at - make_interval(secs => :s) WHERE id = :id"
    for id_ in ids[:3]:
        job.run(ago, s=1.0, id=id_)
    job.run(ago, s=4.0, id=slow.id)
    job.run(ago, s=2.0, id=quick.id)

    # when they are looked at, only the slow one is to give back
    mark_stragglers(database)
    assert standing(job, slow) == Standing(halted=False, slow=True)
    assert standing(job, quick) == Standing(halted=False)
    job.settle(slow, [30, 31])
    assert in_tx(database, shards.split_off, slow.id, slow.fence, [34, 35, 36, 37, 38, 39])

    # then the rest is a shard of its own, and both account for their units only
    [child] = job.shard_ids("pending")
    assert job.shard(child)["parent_id"] == slow.id
    assert job.claimed(child).units == [34, 35, 36, 37, 38, 39]
    assert (job.shard(slow.id)["unit_count"], job.shard(slow.id)["only_units"]) == (
        4, [30, 31, 32, 33],
    )  # fmt: skip

    # and a worker that takes over from a lost one runs no unit that was given away
    job.lose(slow)
    in_tx(database, shards.rescue, slow.id, alone=False)
    again = job.claimed(slow.id)
    assert again.units == [30, 31, 32, 33]
    assert not in_tx(database, shards.split_off, slow.id, slow.fence, [33]), "the fence is stale"
    job.settle(again, [32, 33])
    assert job.finish(again)


def test_short_shards_and_last_units_are_left_alone(database: Engine, settings: Settings) -> None:
    job = running_job(database, settings, units=8, shard_size=2)
    ids = job.shard_ids()
    for id_ in ids[:3]:
        shard = job.claimed(id_)
        job.settle(shard, shard.units)
        job.finish(shard)
    last = job.claimed(ids[3])
    job.collect()
    mark_stragglers(database)
    assert standing(job, last) == Standing(halted=False), "it ran for less than a second"
    job.settle(last, [6])
    with database.begin() as tx:
        tx.execute(text("UPDATE shards SET claimed_at = claimed_at - interval '1 hour'"))
    mark_stragglers(database)
    assert standing(job, last) == Standing(halted=False), "one unit cannot be split"
