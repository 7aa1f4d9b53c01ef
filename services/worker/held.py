"""The shards this process holds: who may run beside whom, and which lease was lost."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.database.shards import ShardRecord


class HeldShard:
    """One claimed shard; `lost` is set once when its lease is no longer ours."""

    def __init__(self, shard: ShardRecord) -> None:
        self.shard = shard
        self._lost = threading.Event()
        self._paused = threading.Event()
        self._aborted = threading.Event()
        self._when_over: Callable[[], None] | None = None
        self._when_slow: Callable[[], None] | None = None

    @property
    def lost(self) -> bool:
        """True when another worker has the shard or its job stopped: stop and write nothing."""
        return self._lost.is_set()

    @property
    def halted(self) -> bool:
        """True when no further unit and no further call may start: lost, or the job is paused.

        A paused shard is still ours: what ended is settled, the rest is released.
        """
        return self._lost.is_set() or self._paused.is_set()

    def pause(self) -> None:
        """Note that the job is paused; the shard hands its rest back even if it is resumed."""
        self._paused.set()

    def lose(self) -> None:
        """Note that the lease is gone and abort what runs."""
        self._lost.set()
        self._abort_now()

    def give_back(self) -> None:
        """Leave the units that are not begun to others; harmless when there are none."""
        if self._when_slow is not None:
            self._when_slow()

    def when_slow(self, give: Callable[[], None]) -> None:
        """Call `give` (thread-safe) whenever the shard is to leave its rest to others."""
        self._when_slow = give

    def abort(self) -> None:
        """Abort what runs though the lease is ours: the shard hands back what has no outcome."""
        self._paused.set()
        self._aborted.set()
        self._abort_now()

    def when_over(self, abort: Callable[[], None]) -> None:
        """Call `abort` (thread-safe, harmless when all has ended) once nothing may go on."""
        self._when_over = abort
        if self.lost or self._aborted.is_set():
            abort()

    def _abort_now(self) -> None:
        if self._when_over is not None:
            self._when_over()


class HeldShards:
    """What this process works on; a shard that must run alone waits for the rest to end."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: dict[tuple[int, int], HeldShard] = {}
        self._running = 0
        self._alone_waiting = 0
        self._alone_running = False
        self._halting: Counter[str] = Counter()
        self._changed = threading.Condition()
        self.claimed_lately = False

    @contextmanager
    def turn(self, *, alone: bool, spare: bool = False) -> Iterator[None]:
        """Wait for a slot (or, `alone`, for all of them), and hold it.

        There are as many `spare` slots again, for jobs that would wait for another job's shards.
        """
        with self._changed:
            self._alone_waiting += alone
            self._changed.wait_for(lambda: self._may_run(alone, spare))
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
            if self._halting[shard.job_id]:
                held.pause()
        return held

    def remove(self, held: HeldShard) -> None:
        """Forget a shard that is finished, released or lost."""
        with self._changed:
            self._held.pop((held.shard.id, held.shard.fence), None)

    @contextmanager
    def halting(self, job_id: str) -> Iterator[None]:
        """Start no further unit of this job: in shards held now, or claimed before the end."""
        with self._changed:
            self._halting[job_id] += 1
            for held in self._held.values():
                if held.shard.job_id == job_id:
                    held.pause()
        try:
            yield
        finally:
            with self._changed:
                self._halting[job_id] -= 1
                if not self._halting[job_id]:
                    del self._halting[job_id]

    def has(self, shard_id: int) -> bool:
        """Return True when a thread of this process works on the shard."""
        with self._changed:
            return any(held_id == shard_id for held_id, _ in self._held)

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

    @property
    def spare(self) -> int:
        """Spare slots that are free while all others are taken; 0 while one is free."""
        with self._changed:
            if self._alone_running or self._alone_waiting or self._running < self._slots:
                return 0
            return max(0, 2 * self._slots - self._running)

    def wait_until_free(self, timeout_s: float) -> bool:
        """Wait until nothing runs; False when something still does after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, timeout_s)

    def take_claimed(self) -> bool:
        """Return True when a shard was claimed since the last call."""
        with self._changed:
            claimed, self.claimed_lately = self.claimed_lately, False
            return claimed

    def _may_run(self, alone: bool, spare: bool) -> bool:
        if alone:
            return self._running == 0
        slots = 2 * self._slots if spare else self._slots
        return not self._alone_running and not self._alone_waiting and self._running < slots
