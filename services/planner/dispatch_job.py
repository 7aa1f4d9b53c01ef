"""Publishes due shards, each job within its window: a small job never waits behind a huge one."""

from shared.broker.app import SHARD_QUEUES, Celery
from shared.broker.ring import BROKER_ERRORS, publish_batch
from shared.database import shards, workers
from shared.database.engine import Connection, Engine
from shared.domain.shard import fair_shares, window
from shared.log import get_logger
from shared.messages.run_shard import RunShard
from shared.seams import reach
from shared.settings import Settings


def dispatch_due(engine: Engine, celery: Celery, settings: Settings) -> int:
    """Mark what may go out, commit, then publish it; return how many messages went out.

    A message that was lost is due again after `redispatch_s`; one that comes twice finds its
    shard taken.
    """
    with engine.begin() as tx:
        marked = _mark(tx, settings)
    if not marked:
        return 0
    reach("planner_before_publish")
    try:
        return publish_batch(
            celery, ((RunShard(shard_id), SHARD_QUEUES[queue]) for shard_id, queue in marked)
        )
    except BROKER_ERRORS as error:
        get_logger().warning("shards_not_published", error=type(error).__name__)
        return 0


def _mark(tx: Connection, settings: Settings) -> list[tuple[int, str]]:
    waiting = shards.waiting_jobs(tx, settings.redispatch_s)
    slots = workers.live_slots(tx)
    shares = fair_shares(
        {id_: (job["project_id"], job["weight"], job["priority"]) for id_, job in waiting.items()}
    )
    marked = []
    for job_id, job in waiting.items():
        free = window(slots, shares, job_id) - job["out"]
        if free > 0:
            marked += shards.dispatch(tx, job_id, free, settings.redispatch_s)
    return marked
