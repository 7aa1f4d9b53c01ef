"""Extends all leases of the process with one statement, and reports that it lives."""

from services.worker.held import HeldShards
from shared.database import shards, workers
from shared.database.engine import Engine


def beat(engine: Engine, worker_id: str, held: HeldShards, lease_s: float) -> None:
    """Extend what is held; a shard Postgres no longer gives us is lost (rescued, cancelled)."""
    mine = held.all()
    keys = [(one.shard.id, one.shard.fence) for one in mine]
    with engine.begin() as tx:
        workers.beat(tx, worker_id, busy=len(mine), claimed=held.take_claimed())
        still = shards.extend_leases(tx, worker_id, keys, lease_s) if keys else set()
    for one in mine:
        if (one.shard.id, one.shard.fence) not in still:
            one.lose()
