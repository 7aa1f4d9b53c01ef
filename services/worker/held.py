"""The shards this process holds: who may run beside whom, and which lease was lost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shared.database.shards import ShardRecord


class HeldShard:
    """One claimed shard; `lost` is set once when its lease is no longer ours."""

    def __init__(self, shard: ShardRecord) -> None:
        self.shard = shard
        self._lost = threading.Event()

    @property
    def lost(self) -> bool:
        """True when another worker has the shard or its job stopped: stop and write nothing."""
        return self._lost.is_set()

    def lose(self) -> None:
        """Note that the lease is gone."""
        self._lost.set()


class HeldShards:
    """What this process works on; a shard that must run alone waits for the rest to end."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: dict[tuple[int, int], HeldShard] = {}
        self._running = 0
        self._alone_waiting = 0
        self._alone_running = False
        self._changed = threading.Condition()
        self.claimed_lately = False

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait for a slot (or, `alone`, for all of them), and hold it."""
        with self._changed:
            self._alone_waiting += alone
            self._changed.wait_for(lambda: self._may_run(alone))
            self._alone_waiting -= alone
            self._running += 1
            self._alone_running = alone
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._alone_running = False
                self._changed.notify_all()

    def add(self, shard: ShardRecord) -> HeldShard:
        """Remember a claimed shard."""
        held = HeldShard(shard)
        with self._changed:
            self._held[(shard.id, shard.fence)] = held
            self.claimed_lately = True
        return held

    def remove(self, held: HeldShard) -> None:
        """Forget a shard that is finished, released or lost."""
        with self._changed:
            self._held.pop((held.shard.id, held.shard.fence), None)

    def all(self) -> list[HeldShard]:
        """Return what is held now."""
        with self._changed:
            return list(self._held.values())

    @property
    def free(self) -> int:
        """Slots nothing runs in and nothing waits for."""
        with self._changed:
            busy = self._running + self._alone_waiting
            return 0 if self._alone_running else max(0, self._slots - busy)

    def take_claimed(self) -> bool:
        """Return True when a shard was claimed since the last call."""
        with self._changed:
            claimed, self.claimed_lately = self.claimed_lately, False
            return claimed

    def _may_run(self, alone: bool) -> bool:
        if alone:
            return self._running == 0
        return not self._alone_running and not self._alone_waiting and self._running < self._slots
