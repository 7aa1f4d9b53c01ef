"""Killable child processes for capabilities that burn CPU."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from pebble import ProcessPool

from shared.capabilities.contract import Capability, Context, Unit
from shared.capabilities.registry import installed

_PR_SET_PDEATHSIG = 1
_capabilities: dict[str, Capability] = {}


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of a capability in plain values; see `shared.capabilities.contract`."""

    code: str
    detail: str
    transient: bool
    retry_after_s: float | None


class ChildPool:
    """`processes` children, each running one batch of units at a time."""

    def __init__(self, processes: int) -> None:
        self._pool = ProcessPool(
            max_workers=processes or os.cpu_count() or 1,
            context=multiprocessing.get_context("spawn"),
            initializer=_start_child,
            initargs=[os.getpid()],
        )

    def submit(
        self, capability: str, batch: Sequence[tuple[Unit, Context]], timeout_s: float
    ) -> Future[list[Any]]:
        """Run a batch in one child; the answers stand in its order, exceptions as `Raised`.

        The future raises TimeoutError after `timeout_s` (the child is killed) and
        pebble.ProcessExpired when the child died.
        """
        future: Future[list[Any]] = self._pool.schedule(
            _run_batch, args=[capability, list(batch)], timeout=timeout_s
        )
        return future

    def close(self) -> None:
        """Kill the children."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join(timeout=5)


def raised(error: BaseException) -> Raised:
    """Return an exception as the values the contract honours; of a group, its first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return Raised(
        code=_storable(str(getattr(error, "code", "capability_error"))[:100]),
        detail=_storable(f"{type(error).__name__}: {error}"[:1000]),
        transient=bool(getattr(error, "transient", False)),
        retry_after_s=getattr(error, "retry_after_s", None),
    )


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


def _run_batch(capability: str, batch: list[tuple[Unit, Context]]) -> list[Any]:
    run = _capabilities[capability].run
    answers = []
    for unit, context in batch:
        try:
            answers.append(run(unit, context))
        except Exception as error:  # noqa: BLE001 - a stranger's code: its exception is an outcome
            answers.append(raised(error))
    return answers
