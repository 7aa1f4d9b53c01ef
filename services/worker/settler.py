"""Writes outcomes in batches from one thread, and again when Postgres blinks."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from services.worker.held import HeldShard
from shared.database import shards
from shared.database.engine import DBAPIError, Engine, PoolTimeout, is_transient
from shared.domain.outcome import Attempted, Settled
from shared.log import get_logger
from shared.seams import reach


@dataclass(slots=True)
class _Waiting:
    """What one shard has not written yet; `since` is monotonic seconds."""

    held: HeldShard
    since: float
    outcomes: list[Settled] = field(default_factory=list)
    attempts: list[Attempted] = field(default_factory=list)
    flushed: list[Future[None]] = field(default_factory=list)


class Settler:
    """Collects outcomes and attempts; a batch goes out at `batch` outcomes or after `delay_s`.

    Results are held in memory and written again until Postgres takes them or the lease is lost,
    so a blink costs no repeated work.
    """

    def __init__(self, engine: Engine, worker_id: str, batch: int, delay_s: float) -> None:
        self._engine, self._worker_id, self._batch, self._delay_s = (
            engine, worker_id, batch, delay_s,
        )  # fmt: skip
        self._waiting: dict[tuple[int, int], _Waiting] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._write_all, name="settler", daemon=True)
        self._thread.start()

    def put(
        self, held: HeldShard, outcomes: list[Settled], attempts: list[Attempted] | None = None
    ) -> None:
        """Take outcomes of a shard; returns at once."""
        with self._changed:
            waiting = self._entry(held)
            waiting.outcomes += outcomes
            waiting.attempts += attempts or []
            self._changed.notify()

    def flush(self, held: HeldShard) -> None:
        """Wait until everything of this shard is written, or its lease is lost."""
        done: Future[None] = Future()
        with self._changed:
            self._entry(held).flushed.append(done)
            self._changed.notify()
        done.result()

    def close(self) -> None:
        """Stop after what waits is written."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(5.0)

    def _entry(self, held: HeldShard) -> _Waiting:
        key = (held.shard.id, held.shard.fence)
        return self._waiting.setdefault(key, _Waiting(held, time.monotonic()))

    def _write_all(self) -> None:
        while True:
            with self._changed:
                due = self._due()
                if not due:
                    if self._closed and not self._waiting:
                        return
                    self._changed.wait(self._next_wait())
                    continue
                for waiting in due:
                    del self._waiting[(waiting.held.shard.id, waiting.held.shard.fence)]
            for waiting in due:
                self._write(waiting)

    def _due(self) -> list[_Waiting]:
        now = time.monotonic()
        return [
            waiting
            for waiting in self._waiting.values()
            if waiting.flushed
            or self._closed
            or len(waiting.outcomes) >= self._batch
            or now - waiting.since >= self._delay_s
        ]

    def _next_wait(self) -> float | None:
        if not self._waiting:
            return None
        oldest = min(waiting.since for waiting in self._waiting.values())
        return max(0.001, oldest + self._delay_s - time.monotonic())

    def _write(self, waiting: _Waiting) -> None:
        shard, pause = waiting.held.shard, 0.05
        while not waiting.held.lost and (waiting.outcomes or waiting.attempts):
            try:
                with self._engine.begin() as tx:
                    written = shards.settle(
                        tx, shard.id, shard.fence, self._worker_id,
                        waiting.outcomes, waiting.attempts,
                    )  # fmt: skip
                    reach("worker_before_commit")
                reach("worker_after_commit")
                if not written:
                    waiting.held.lose()
                break
            except (DBAPIError, PoolTimeout) as error:
                if not is_transient(error):
                    get_logger(shard_id=shard.id).error("settle_failed", error=str(error)[:300])
                    waiting.held.lose()  # the rescue gives the shard to another worker
                    break
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
            except Exception:  # noqa: BLE001 - a dead settler would hang the process
                get_logger(shard_id=shard.id).error("settle_failed", exc_info=True)
                waiting.held.lose()
        for done in waiting.flushed:
            done.set_result(None)
