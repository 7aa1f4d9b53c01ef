"""Takes shards that must not wait for their messages: lost ones, and those of small jobs."""

from collections.abc import Callable

from services.worker.run_shard import Worker, run_shard
from services.worker.unheard import Unheard
from shared.broker.inbox import Inbox
from shared.database import shards


def starved_jobs(worker: Worker, stopping: Callable[[], bool]) -> tuple[Unheard, Inbox]:
    """Return what looks for such shards, and what rings it.

    With a free slot it looks for lost shards alone: a small job's message comes by itself. While
    every slot is taken both run in spare slots, as many as there are slots; on the event loop all
    units share places by job anyway.
    """
    again = Inbox()

    def due() -> list[int]:
        look = shards.due_lost if (free := worker.held.free) else shards.due_of_the_starved
        room = free or worker.held.spare
        if stopping() or not room:
            return []
        with worker.engine.connect() as connection:
            return look(connection, list(worker.capabilities), room)

    taker = Unheard(
        due, lambda shard_id: run_shard(worker, shard_id, spare=True),
        slots=worker.settings.worker_slots, last_heard=lambda: 0.0, silence_s=0.0, again=again,
    )  # fmt: skip
    return taker, again
