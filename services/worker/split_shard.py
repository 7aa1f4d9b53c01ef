"""Leaves the units of a slow shard that nobody has begun to a new shard."""

from shared.database import shards
from shared.database.engine import Engine, SQLAlchemyError
from shared.database.shards import ShardRecord
from shared.log import get_logger


def split_shard(engine: Engine, shard: ShardRecord, units: list[int]) -> bool:
    """Move `units` (ascending) to a new pending shard; False when that cannot be said to be done.

    Then they are handed back with the shard itself: its row says which are its own.
    """
    try:
        with engine.begin() as tx:
            moved = shards.split_off(tx, shard.id, shard.fence, units)
    except SQLAlchemyError as error:
        get_logger(shard_id=shard.id).warning("shard_not_split", error=type(error).__name__)
        return False
    if moved:
        get_logger(job_id=shard.job_id, shard_id=shard.id).info("shard_split", units=len(units))
    return moved
