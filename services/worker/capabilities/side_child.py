"""Runs a function of ours in a child process that is killed when it takes too long."""

import asyncio
import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from pebble import ProcessExpired, ProcessPool

PROCESSES = 2
CALLS_PER_CHILD = 500  # then a fresh one: what libraries forget to free goes with the child
MEMORY_BYTES = 2 << 30
CHECK_S = 1.0  # a pool whose children died while they did nothing is noticed this often
_PR_SET_PDEATHSIG = 1
_lock = threading.Lock()
_pool: ProcessPool | None = None


class ChildLostError(Exception):
    """The child was killed by its work or ran out of memory."""


async def in_child(function: Callable[..., Any], *arguments: Any, wall_s: float) -> Any:
    """Return ``function(*arguments)``, a function of a module, from a child process.

    Raises TimeoutError after `wall_s` seconds, ChildLostError, and what the function raises.
    """
    pool = _running_pool()
    future = asyncio.wrap_future(pool.schedule(function, args=list(arguments), timeout=wall_s))
    try:
        while not future.done():
            await asyncio.wait([future], timeout=CHECK_S)
            if not future.done() and not pool.active:
                raise ChildLostError("The child processes died.")
        return future.result()
    except (ProcessExpired, BrokenProcessPool) as error:
        raise ChildLostError("The child process died.") from error
    finally:
        future.cancel()  # ends the child if the caller gave up


def close_children() -> None:
    """End the children; the next call starts new ones."""
    global _pool
    with _lock:
        pool, _pool = _pool, None
    if pool is not None:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join(timeout=5)


def _running_pool() -> ProcessPool:
    global _pool
    with _lock:
        if _pool is None or not _pool.active:
            _pool = ProcessPool(
                max_workers=PROCESSES,
                max_tasks=CALLS_PER_CHILD,
                context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=[os.getpid()],
            )
        return _pool


def _start(parent: int) -> None:
    """Bound the child's memory, and let it die with the worker, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform != "linux":
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
