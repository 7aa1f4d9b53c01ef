"""Killable child processes for capabilities that burn CPU."""

import ctypes
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pebble import ProcessExpired, ProcessPool

from shared.capabilities.contract import Capability, Context, Unit
from shared.capabilities.registry import installed

ChildDied = (ProcessExpired, BrokenProcessPool)
RAW_KEPT = 100_000  # characters
BATCH_S = 1.0
LONGEST_RETRY_AFTER_S = 86_400.0
_PR_SET_PDEATHSIG = 1
_capabilities: dict[str, Capability] = {}


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of a capability in plain values; see `shared.capabilities.contract`."""

    code: str
    detail: str
    transient: bool
    retry_after_s: float | None
    outcome: str = "failed"
    burns: bool = True
    decided: bool = False
    raw: str | None = None
    pause: dict[str, Any] | None = None
    model: str | None = None


class ChildPool:
    """`processes` children, each running one batch of units at a time.

    A child that dies while it runs nothing breaks the pool of the library for good, so a broken
    one is replaced by a new one.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes or os.cpu_count() or 1
        self._lock = threading.Lock()
        self._closed = False
        self._given: set[Future[list[Any]]] = set()
        self._pool = self._make()

    def submit(
        self, capability: str, batch: Sequence[tuple[Unit, Context]], timeout_s: float
    ) -> Future[list[Any]]:
        """Run a batch in one child; the answers stand in its order, exceptions as `Raised`.

        After `BATCH_S` no further unit is begun: the answers may be fewer than the batch. The
        future raises TimeoutError after `timeout_s` (the child is killed), ChildDied when the
        child died, and whatever kept the answers from being sent back.
        """
        with self._lock:
            self._replace_if_broken()
            future: Future[list[Any]] = self._pool.schedule(
                _run_batch, args=[capability, list(batch), timeout_s], timeout=timeout_s
            )
            self._given = {one for one in self._given if not one.done()} | {future}
        return future

    def mend(self) -> None:
        """Replace a broken pool; what was given to it ends as ChildDied."""
        with self._lock:
            self._replace_if_broken()

    def close(self) -> None:
        """Kill the children."""
        with self._lock:
            self._closed = True
        _end(self._pool)

    def _replace_if_broken(self) -> None:
        if self._closed or self._pool.active:
            return
        broken, self._pool = self._pool, self._make()
        for future in self._given:
            with suppress(InvalidStateError):
                future.set_exception(BrokenProcessPool("all children died"))
        threading.Thread(target=_end, args=[broken], daemon=True).start()

    def _make(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self.processes,
            context=multiprocessing.get_context("spawn"),
            initializer=_start_child,
            initargs=[os.getpid()],
        )


def raised(error: BaseException) -> Raised:
    """Return an exception as the values the contract honours; of a group, its first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    code = getattr(error, "code", None)
    return Raised(
        code=_storable(code[:100]) if isinstance(code, str) and code else "capability_error",
        detail=_storable(f"{type(error).__name__}: {error}"[:1000]),
        transient=bool(getattr(error, "transient", False)),
        retry_after_s=_pause(getattr(error, "retry_after_s", None)),
        outcome=str(getattr(error, "outcome", "failed")),
        burns=bool(getattr(error, "burns", True)),
        decided=bool(getattr(error, "decided", False)),
        raw=kept_text(getattr(error, "raw", None)),
        pause=pause if isinstance(pause := getattr(error, "pause", None), dict) else None,
        model=_storable(model[:200])
        if isinstance(model := getattr(error, "model", None), str)
        else None,
    )


def kept_text(text: object) -> str | None:
    """Return a model's text as it is kept with an attempt: clipped, and such that it can be."""
    return _storable(text[:RAW_KEPT]) if isinstance(text, str) else None


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join(timeout=5)


def _pause(seconds: object) -> float | None:
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        return None
    return min(float(seconds), LONGEST_RETRY_AFTER_S)


def _storable(text: str) -> str:
    """Return text Postgres can keep: no NUL, no lone surrogates."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def _start_child(parent: int) -> None:
    """Die with the worker (kill -9 included), and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    _capabilities.update(installed())


def _run_batch(capability: str, batch: list[tuple[Unit, Context]], timeout_s: float) -> list[Any]:
    run = _capabilities[capability].run
    answers: list[Any] = []
    enough = time.monotonic() + min(BATCH_S, timeout_s / 4)
    for unit, context in batch:
        if answers and time.monotonic() > enough:
            break  # the limit is meant for one unit, and a stop should not wait for all of them
        try:
            answers.append(run(unit, context))
        except BaseException as error:  # noqa: BLE001 - a stranger's code may even call sys.exit()
            answers.append(raised(error))
    return answers
