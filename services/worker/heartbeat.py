"""Extends all leases of the process with one statement, and reports that it lives."""

from services.worker.held import HeldShards
from shared.database import shards, workers
from shared.database.engine import Engine
from shared.llm.budget import Purses


def beat(engine: Engine, worker_id: str, held: HeldShards, purses: Purses, lease_s: float) -> None:
    """Extend what is held; a shard Postgres no longer gives us is lost (rescued, cancelled).

    One whose job is paused or finishes early is ours still, but starts no further unit; one that
    takes much longer than its neighbours leaves the units not begun to others. Leases come first
    and count at once: a busy process may get no further for a while.
    """
    mine = held.all()
    keys = [(one.shard.id, one.shard.fence) for one in mine]
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        still = shards.extend_leases(connection, worker_id, keys, lease_s) if keys else {}
        workers.beat(connection, worker_id, busy=len(mine), claimed=held.take_claimed())
    purses.beat()
    for one, key in zip(mine, keys, strict=True):
        if key not in still:
            one.lose()
        elif still[key].halted:
            one.pause()
        elif still[key].slow:
            one.give_back()
