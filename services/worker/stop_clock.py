"""Bounds a stop: what has not ended in most of the time a stop may take is aborted."""

import threading

from services.worker.held import HeldShards
from shared.log import get_logger

SHARE_FOR_CALLS = 0.7  # of the grace; the rest is for writing outcomes and freeing leases


def abort_when_late(stopping: threading.Event, held: HeldShards, grace_s: float) -> None:
    """Once `stopping` is set, let calls in flight end for a while, then abort the others.

    An aborted unit has no outcome: its shard is released and another worker runs it again.
    """

    def watch() -> None:
        stopping.wait()
        if held.wait_until_free(grace_s * SHARE_FOR_CALLS):
            return
        late = held.all()
        for one in late:
            one.abort()
        get_logger().warning("stop_aborts_calls", shards=len(late))

    threading.Thread(target=watch, name="stop-clock", daemon=True).start()
