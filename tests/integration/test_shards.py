"""Shards under lease and fence: who claimed last alone may write, and each unit counts once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from shared.database import jobs, shards
from shared.database.shards import Standing, Tries
from shared.domain.outcome import Attempted, Settled
from shared.settings import Settings
from tests.integration.running_job import LEASE_S, RunningJob, outcome_of, running_job


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """Nine units in three shards."""
    return running_job(database, settings)


def test_units_are_parted_into_shards(job: RunningJob) -> None:
    found = [job.shard(id_) for id_ in job.shard_ids()]
    assert [(one["no"], one["first_unit"], one["last_unit"]) for one in found] == [
        (0, 0, 2),
        (3, 3, 5),
        (6, 6, 8),
    ]
    assert {one["status"] for one in found} == {"pending"}


def test_a_claim_takes_the_lease_and_raises_the_fence(job: RunningJob) -> None:
    shard_id = job.shard_ids()[0]
    shard = job.claimed(shard_id, "wrk_a")
    row = job.shard(shard_id)
    assert (shard.fence, row["status"], row["worker_id"]) == (1, "running", "wrk_a")
    assert row["lease_until"] > row["claimed_at"]
    assert list(shard.units) == [0, 1, 2]


def test_of_many_that_claim_at_once_one_gets_it(job: RunningJob) -> None:
    shard_id = job.shard_ids()[0]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: job.claim(shard_id, f"wrk_{n}"), range(24)))
    assert len([one for one in claims if one is not None]) == 1


@pytest.mark.parametrize(
    "why",
    [
        "UPDATE shards SET due_at = now() + interval '1 hour'",
        "UPDATE shards SET capability = 'other'",
        "UPDATE shards SET alone = true",
        "UPDATE shards SET status = 'cancelled'",
        "UPDATE jobs SET status = 'paused'",
        "UPDATE jobs SET status = 'finalizing'",
    ],
)
def test_what_is_not_to_be_run_here_and_now_cannot_be_claimed(job: RunningJob, why: str) -> None:
    job.run(why)
    assert job.claim(job.shard_ids()[0]) is None


def test_a_shard_for_one_alone_is_claimed_by_one_who_is(job: RunningJob) -> None:
    job.run("UPDATE shards SET alone = true")
    assert job.claim(job.shard_ids()[0], alone=True) is not None


def test_outcomes_are_written_and_counted_once(job: RunningJob) -> None:
    shard = job.claimed(job.shard_ids()[0])
    assert job.settle(shard, [0, 1])
    assert job.settle(shard, [1], "failed")
    assert job.settle(shard, [0, 1, 2])
    assert job.results() == {0: "succeeded", 1: "succeeded", 2: "succeeded"}
    row = job.shard(shard.id)
    assert (row["succeeded"], row["failed"]) == (3, 0)


def test_replicas_are_kept_beside_the_outcome_and_not_counted(
    job: RunningJob, database: Engine
) -> None:
    shard = job.claimed(job.shard_ids()[0])
    of_replica = Settled(0, "failed", 1, replica=1, code="odd")
    with database.begin() as tx:
        shards.settle(tx, shard.id, shard.fence, "wrk_a", [outcome_of(0), of_replica], [])
    row = job.shard(shard.id)
    assert (row["succeeded"], row["failed"]) == (1, 0)
    assert job.rows("SELECT replica, outcome FROM results ORDER BY replica") == [
        {"replica": 0, "outcome": "succeeded"},
        {"replica": 1, "outcome": "failed"},
    ]


@pytest.mark.parametrize(
    "late",
    [
        lambda job, shard: job.settle(shard, [0]),
        lambda job, shard: job.finish(shard),
        lambda job, shard: job.finish(shard, postponed=(0,)),
    ],
)
def test_a_stale_fence_writes_nothing(
    job: RunningJob, late: Callable[[RunningJob, object], bool]
) -> None:
    # given a shard that was lost and claimed again
    old = job.claimed(job.shard_ids()[0])
    job.run("UPDATE shards SET status = 'pending' WHERE id = :id", id=old.id)
    new = job.claimed(old.id, "wrk_b")
    assert new.fence == old.fence + 1

    # when the first worker comes back, then it is refused and the other is not
    assert not late(job, old)
    assert job.results() == {}
    assert job.shard(old.id)["status"] == "running"
    assert job.settle(new, new.units)
    assert job.finish(new)


def test_a_shard_cannot_end_with_a_unit_that_has_no_outcome(job: RunningJob) -> None:
    shard = job.claimed(job.shard_ids()[0])
    job.settle(shard, [0, 2])
    with pytest.raises(IntegrityError, match="done_shard_settled_every_unit"):
        job.finish(shard)


def test_postponed_units_move_to_a_shard_that_is_due_later(job: RunningJob) -> None:
    shard = job.claimed(job.shard_ids()[0])
    job.settle(shard, [1])
    assert job.finish(shard, postponed=(0, 2), delay_s=3600)

    [child_id] = set(job.shard_ids()) - {shard.id, *job.shard_ids()[:3]}
    child = job.shard(child_id)
    assert (child["parent_id"], child["only_units"], child["unit_count"]) == (shard.id, [0, 2], 2)
    assert (child["status"], child["no"]) == ("pending", None)
    assert job.shard(shard.id)["unit_count"] == 1
    assert job.claim(child_id) is None  # not before its time
    job.run("UPDATE shards SET due_at = now() WHERE id = :id", id=child_id)
    again = job.claimed(child_id)
    assert list(again.units) == [0, 2]
    [total] = job.rows("SELECT sum(unit_count) AS units FROM shards WHERE job_id = :j", j=job.id)
    assert total["units"] == 9


def test_who_stops_gives_its_shard_back_at_once(job: RunningJob, database: Engine) -> None:
    shard = job.claimed(job.shard_ids()[0])
    with database.begin() as tx:
        assert shards.release(tx, shard.id, shard.fence)
        assert not shards.release(tx, shard.id, shard.fence)
    assert job.shard(shard.id)["status"] == "pending"
    assert job.shard(shard.id)["lost"] == 0
    assert [row["ending"] for row in job.rows("SELECT * FROM shard_deliveries")] == ["released"]


def test_a_heartbeat_extends_only_what_is_still_held(job: RunningJob, database: Engine) -> None:
    held, taken = (job.claimed(id_) for id_ in job.shard_ids()[:2])
    other = job.claimed(job.shard_ids()[2], "wrk_b")
    job.lose(taken)
    job.run("UPDATE shards SET fence = fence + 1 WHERE id = :id", id=taken.id)
    keys = [(one.id, one.fence) for one in (held, taken, other)] + [(10**9, 1)]
    with database.begin() as tx:
        assert shards.extend_leases(tx, "wrk_a", keys, LEASE_S) == {
            (held.id, held.fence): Standing(halted=False)
        }

    # that of a paused job is held too, until its worker gives it back
    job.run("UPDATE jobs SET status = 'paused'")
    with database.begin() as tx:
        assert shards.extend_leases(tx, "wrk_a", keys, LEASE_S) == {
            (held.id, held.fence): Standing(halted=True)
        }


def test_cancelling_refuses_what_comes_after_it(job: RunningJob, database: Engine) -> None:
    shard = job.claimed(job.shard_ids()[0])
    job.settle(shard, [0])
    with database.begin() as tx:
        jobs.stop(tx, job.id, "cancelled")
        assert shards.cancel_open(tx, job.id) == 3
    assert not job.settle(shard, [1])
    assert not job.finish(shard)
    assert job.results() == {0: "succeeded"}
    assert job.claim(job.shard_ids()[1]) is None


def test_attempts_are_counted_per_unit_and_written_once(job: RunningJob, database: Engine) -> None:
    shard = job.claimed(job.shard_ids()[0])
    tries = [
        Attempted(0, 1, "retry", code="busy"),
        Attempted(2, 1, "retry"),
        Attempted(2, 2, "retry"),
    ]
    for _ in range(2):
        with database.begin() as tx:
            shards.settle(tx, shard.id, shard.fence, "wrk_a", [], tries)
    with database.connect() as connection:
        assert shards.tries_of(connection, shard) == {
            0: Tries(1, 1, {"busy": 1}),
            2: Tries(2, 2, {}),
        }
        assert shards.settled_units(connection, shard) == set()
    assert len(job.rows("SELECT * FROM attempts")) == 3


def test_done_shards_are_numbered_in_the_order_they_ended(
    job: RunningJob, database: Engine
) -> None:
    first, second, third = (job.claimed(id_) for id_ in job.shard_ids())

    def end(shard: shards.ShardRecord) -> None:
        job.settle(shard, shard.units)
        job.finish(shard)

    def note() -> None:
        with database.begin() as tx:
            shards.note_done(tx, job.id)

    end(third)
    end(first)
    note()
    note()
    end(second)
    note()
    assert [job.shard(one.id)["noted_no"] for one in (third, first, second)] == [1, 2, 3]


def test_a_job_that_runs_far_fewer_than_another_is_starved(
    database: Engine, settings: Settings
) -> None:
    # given a job with all its shards at work, and a small one with none
    huge = running_job(database, settings)
    for shard_id in huge.shard_ids():
        assert huge.claim(shard_id) is not None
    small = running_job(database, settings)

    # then the small one is, until it runs half as many
    def starved() -> list[int]:
        with database.connect() as connection:
            return shards.due_of_the_starved(connection, ["extract"], 10)

    assert set(starved()) == set(small.shard_ids())
    assert small.claim(small.shard_ids()[0]) is not None
    assert set(starved()) == set(small.shard_ids()[1:])
    assert small.claim(small.shard_ids()[1]) is not None
    assert starved() == []

    # and neither what must run alone nor what rests
    huge.run("UPDATE shards SET status = 'pending' WHERE id = :id", id=small.shard_ids()[1])
    huge.run("UPDATE shards SET alone = true WHERE id = :id", id=small.shard_ids()[2])
    assert starved() == [small.shard_ids()[1]]
    huge.run("UPDATE jobs SET status = 'paused' WHERE id = :id", id=small.id)
    assert starved() == []


def test_a_shard_that_was_lost_does_not_wait_for_its_message(job: RunningJob) -> None:
    ids = job.shard_ids()
    assert job.claim(ids[1]) is not None
    job.run("UPDATE shards SET lost = 1 WHERE id = :id", id=ids[2])
    with job.engine.connect() as connection:
        assert shards.due_of_the_starved(connection, ["extract"], 10) == [ids[2]]
        assert shards.due_of_the_starved(connection, ["another"], 10) == []
        assert shards.due_lost(connection, ["extract"], 10) == [ids[2]]
        assert shards.due_lost(connection, ["another"], 10) == []

    # whoever was told of it; but not what must run alone, nor what rests
    job.run("UPDATE shards SET status = 'dispatched', dispatched_at = now() WHERE lost = 1")
    job.run("UPDATE shards SET lost = 2, alone = true WHERE id = :id", id=ids[0])
    with job.engine.connect() as connection:
        assert shards.due_lost(connection, ["extract"], 10) == [ids[2]]
    job.run("UPDATE jobs SET status = 'paused' WHERE id = :id", id=job.id)
    with job.engine.connect() as connection:
        assert shards.due_lost(connection, ["extract"], 10) == []


def test_what_must_run_alone_is_announced_after_the_rest(job: RunningJob) -> None:
    first, second, third = job.shard_ids()
    job.run("UPDATE shards SET alone = true WHERE id = :id", id=first)
    with job.engine.begin() as tx:
        announced = shards.dispatch(tx, job.id, 10, 15.0)
    assert [shard_id for shard_id, _ in announced] == [second, third, first]
