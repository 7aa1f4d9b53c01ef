"""Runs units once: on the event loop, or in a child process, each within its time."""

import asyncio
import inspect
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pebble import ProcessExpired

from services.worker.child_pool import ChildPool, Raised, raised
from services.worker.stage_run import StageRun
from shared.capabilities.contract import Context, Unit
from shared.domain.retry import Failure


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt returned or how it failed, and how long it took."""

    returned: Any
    duration_ms: int


async def attempt_on_loop(run: StageRun, unit: Unit, context: Context) -> Answer:
    """Await the capability's `run` under a wall-clock limit."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(context.timeout_s):
            returned = run.capability.run(unit, context)
            if inspect.isawaitable(returned):
                returned = await returned
    except TimeoutError:
        returned = _timed_out(context.timeout_s)
    except Exception as error:  # noqa: BLE001 - a stranger's code: its exception is an outcome
        returned = _failure(raised(error))
    return Answer(returned, _since(started))


async def attempt_in_child(
    pool: ChildPool, run: StageRun, batch: Sequence[tuple[Unit, Context]]
) -> list[Answer]:
    """Run a batch in one child; if it hangs or dies, run its units one by one to find which."""
    started = time.monotonic()
    timeout_s = batch[0][1].timeout_s
    try:
        answers = await asyncio.wrap_future(pool.submit(run.capability.name, batch, timeout_s))
    except (TimeoutError, ProcessExpired) as error:
        if len(batch) > 1:
            alone = [await attempt_in_child(pool, run, [item]) for item in batch]
            return [answers[0] for answers in alone]
        answers = [_child_failure(error, timeout_s)]
    share = _since(started) // len(batch)
    return [Answer(_failure(one) if isinstance(one, Raised) else one, share) for one in answers]


def _child_failure(error: Exception, timeout_s: float) -> Failure:
    if isinstance(error, TimeoutError):
        return _timed_out(timeout_s)
    detail = "The child process that ran the unit died (out of memory, or killed by the unit)."
    return Failure("worker_lost", detail, transient=True)


def _timed_out(timeout_s: float) -> Failure:
    return Failure("timeout", f"The attempt took longer than {timeout_s:g} s.", transient=True)


def _failure(error: Raised) -> Failure:
    return Failure(
        error.code, error.detail, transient=error.transient, retry_after_s=error.retry_after_s
    )


def _since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
