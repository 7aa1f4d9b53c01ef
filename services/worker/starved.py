"""Takes shards of small jobs past those of a large one that would hold every slot for long."""

from collections.abc import Callable

from services.worker.run_shard import Worker, run_shard
from services.worker.unheard import Unheard
from shared.broker.inbox import Inbox
from shared.database import shards


def starved_jobs(worker: Worker, stopping: Callable[[], bool]) -> tuple[Unheard, Inbox]:
    """Return what looks for such shards while every slot is taken, and what rings it.

    They run in spare slots, as many as there are slots; on the event loop all units share places
    by job anyway.
    """
    again = Inbox()

    def due() -> list[int]:
        free = worker.held.spare
        if stopping() or not free:
            return []
        with worker.engine.connect() as connection:
            return shards.due_of_the_starved(connection, list(worker.capabilities), free)

    taker = Unheard(
        due, lambda shard_id: run_shard(worker, shard_id, spare=True),
        slots=worker.settings.worker_slots, last_heard=lambda: 0.0, silence_s=0.0, again=again,
    )  # fmt: skip
    return taker, again
