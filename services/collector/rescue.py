"""Brings back shards whose worker was lost, and isolates a unit that kills its workers."""

from collections.abc import Callable

from shared.database import shards, spend
from shared.database.engine import Connection, Engine, retrying
from shared.database.shards import ShardRecord
from shared.domain.outcome import Settled
from shared.log import get_logger

LOST_BEFORE_ALONE = 2
SHARDS_IN_ONE_LOOK = 50


def rescue_expired(engine: Engine, is_time: Callable[[], bool] = lambda: True) -> set[str]:
    """Look for expired leases; return the jobs that have something due again.

    `is_time` is asked when Postgres has answered; it says no while workers that live may not yet
    have had a chance to extend (see `after_outage`).
    """
    return retrying(engine, lambda tx: _rescue_some(tx, is_time))


def book_lost_slices(engine: Engine) -> None:
    """Book as unknown cost what lost processes had reserved; one slice a transaction."""
    for _ in range(SHARDS_IN_ONE_LOOK):
        with engine.begin() as tx:
            if spend.expire(tx) is None:
                return


def _rescue_some(tx: Connection, is_time: Callable[[], bool]) -> set[str]:
    expired = shards.expired(tx, SHARDS_IN_ONE_LOOK)
    if not is_time():
        return set()
    for shard in expired:
        _rescue(tx, shard)
    return {shard.job_id for shard in expired}


def _rescue(tx: Connection, shard: ShardRecord) -> None:
    """Back to pending; after two losses alone; alone and lost again: halved, then failed."""
    log = get_logger(job_id=shard.job_id, shard_id=shard.id, lost=shard.lost + 1)
    shards.note_lost(tx, shard.id)
    settled = shards.settled_units(tx, shard)
    rest = [unit for unit in shard.units if unit not in settled]
    if not rest:
        shards.finish(tx, shard.id, shard.fence, {})
        log.info("shard_was_complete")
    elif not shard.alone:
        shards.rescue(tx, shard.id, alone=shard.lost + 1 >= LOST_BEFORE_ALONE)
        log.warning("shard_rescued")
    elif len(rest) > 1:
        shards.bisect(tx, shard, rest)
        log.warning("shard_bisected", units=len(rest))
    else:
        _fail_unit(tx, shard, rest[0])
        log.error("unit_lost_its_workers", unit=rest[0])


def _fail_unit(tx: Connection, shard: ShardRecord, unit: int) -> None:
    detail = f"Its worker process was lost {shard.lost + 1} times while running it."
    outcome = Settled(unit, "failed", attempt=shard.lost + 1, code="worker_lost", detail=detail)
    shards.settle(tx, shard.id, shard.fence, "collector", [outcome], [])
    shards.finish(tx, shard.id, shard.fence, {})
