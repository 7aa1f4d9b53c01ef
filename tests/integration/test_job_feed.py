"""Events of a job and its finished shards in one order, whoever writes them and when."""

from sqlalchemy import Engine

from shared.actions.stop_job import stop_job
from shared.database import events, job_feed
from shared.database.job_feed import FeedItem
from shared.settings import Settings
from tests.integration.running_job import RunningJob, running_job


def feed(job: RunningJob, after: int = 0, limit: int = 100) -> list[FeedItem]:
    with job.engine.connect() as connection:
        return job_feed.page(connection, job.id, after=after, limit=limit)


def work(job: RunningJob, number: int) -> None:
    shard = job.claimed(job.shard_ids()[number])
    assert job.settle(shard, shard.units)
    assert job.finish(shard)


def test_shards_and_events_have_one_order_without_gaps(
    database: Engine, settings: Settings
) -> None:
    # given shards that are noted between events, two of them at once, and not in their own order
    job = running_job(database, settings, units=9, shard_size=3)
    before = feed(job)[-1].no
    work(job, 2)
    job.collect()
    with database.begin() as tx:
        events.append(tx, job.id, "job.edited", actor="test", data={})
    work(job, 1)
    work(job, 0)
    job.collect()

    # then numbers rise by one, in the order in which it was told
    told = feed(job, after=before)
    assert [item.no for item in told] == list(range(before + 1, before + 1 + len(told)))
    assert [item.type for item in told] == [
        "shard.done", "job.edited", "shard.done", "shard.done", "stage.closed", "job.finished",
    ]  # fmt: skip
    shards = [item.data for item in told if item.type == "shard.done"]
    assert [one["first_unit"] for one in shards] == [6, 3, 0]
    assert [one["noted_no"] for one in shards] == [1, 2, 3]
    assert all((one["units"], one["succeeded"], one["failed"]) == (3, 3, 0) for one in shards)

    # and pages of any size give the same
    paged: list[FeedItem] = []
    while page := feed(job, after=paged[-1].no if paged else before, limit=2):
        paged += page
    assert paged == told
    with database.connect() as connection:
        state = job_feed.state(connection, job.id)
    assert state == job_feed.FeedState(told[-1].no, final=True, deleted=False)


def test_a_shard_that_ended_just_before_the_job_was_stopped_is_told(
    database: Engine, settings: Settings
) -> None:
    job = running_job(database, settings, units=6, shard_size=3)
    work(job, 0)
    with database.begin() as tx:
        assert stop_job(tx, job.id, "cancelled", actor="test")
    job.collect()
    assert job.status() == "cancelled"
    assert [item.type for item in feed(job)].count("shard.done") == 1


def test_noting_shards_is_no_change_of_the_job_for_those_who_edit_it(
    database: Engine, settings: Settings
) -> None:
    job = running_job(database, settings, units=9, shard_size=3)
    [before] = job.rows("SELECT version, event_seq FROM jobs WHERE id = :id", id=job.id)
    work(job, 0)
    job.collect()
    [after] = job.rows("SELECT version, event_seq FROM jobs WHERE id = :id", id=job.id)
    assert after == {"version": before["version"], "event_seq": before["event_seq"] + 1}
