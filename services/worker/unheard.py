"""Takes due shards straight from Postgres while Redis tells nothing."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from shared.broker.inbox import Inbox
from shared.log import get_logger


class Unheard:
    """`look` claims what is due once no message came for `silence_s`.

    After each shard that ran it looks again at once (`again` is rung), so that a long silence
    costs little more than its first seconds.
    """

    def __init__(
        self, due: Callable[[], list[int]], run: Callable[[int], bool], *, slots: int,
        last_heard: Callable[[], float], silence_s: float, again: Inbox,
    ) -> None:  # fmt: skip
        self._due, self._run, self._last_heard = due, run, last_heard
        self._silence_s, self._again = silence_s, again
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="unheard")
        self._given: set[int] = set()
        self._lock = threading.Lock()
        self._closed = False

    def look(self) -> None:
        """Look once; does nothing while messages come."""
        if self._closed or time.monotonic() - self._last_heard() < self._silence_s:
            return
        for shard_id in self._due():
            with self._lock:
                if shard_id in self._given or self._closed:
                    continue
                self._given.add(shard_id)
            self._pool.submit(self._take, shard_id)

    def close(self) -> None:
        """Take nothing more; wait for what runs."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=True)

    def _take(self, shard_id: int) -> None:
        ran = False
        try:
            ran = self._run(shard_id)
        except Exception as error:  # noqa: BLE001 - the last line of a thread; Celery logs its own
            get_logger(shard_id=shard_id).error(
                "work_failed", thread="unheard", id=shard_id, error=type(error).__name__,
                detail=str(error)[:500], exc_info=True,
            )  # fmt: skip
        finally:
            with self._lock:
                self._given.discard(shard_id)
        if ran:  # one that could not be claimed must not be looked for without a pause
            self._again.put("a slot is free")
