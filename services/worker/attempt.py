"""Runs units once: on the event loop, or in a child process, each within its time."""

import asyncio
import inspect
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.worker.breathing import Breathing, unhurried
from services.worker.child_pool import ChildDied, ChildPool, Raised, kept_text, raised
from services.worker.stage_run import StageRun
from shared.capabilities.contract import Context, Returned, Unit
from shared.domain.outcome import Outcome
from shared.domain.retry import Failure

MEND_S = 1.0  # a broken pool of children is noticed and replaced this often


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt returned or how it failed, how long it took, and a text to keep."""

    returned: Any
    duration_ms: int
    raw: str | None = None


async def attempt_on_loop(run: StageRun, unit: Unit, context: Context) -> Answer:
    """Await the capability's `run` under a wall-clock limit."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(context.timeout_s):
            returned = unhurried(lambda: run.capability.run(unit, context))
            if inspect.isawaitable(returned):
                returned = await Breathing(returned)
    except TimeoutError:
        returned = _timed_out(context.timeout_s)
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is None or task.cancelling():
            raise  # we are being stopped; else a stranger's task was cancelled by itself
        returned = _failure(raised(error))
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a stranger's code
        returned = _failure(raised(error))  # its exception is an outcome, and never ends the loop
    return answer_of(returned, _since(started))


async def attempt_pack(
    run: StageRun, units: Sequence[Unit], contexts: Sequence[Context]
) -> list[Answer]:
    """Run several units in one go; `run_pack` returns one answer or exception for each."""
    started = time.monotonic()
    packer: Any = run.capability
    try:
        async with asyncio.timeout(contexts[0].timeout_s * 2):  # a pack may be halved and repeated
            returned = await Breathing(packer.run_pack(units, contexts))
    except TimeoutError:
        returned = [_timed_out(contexts[0].timeout_s)] * len(units)
    except Exception as error:  # noqa: BLE001 - its exception is the outcome of them all
        returned = [error] * len(units)
    took = _since(started) // len(units)
    return [answer_of(one, took) for one in returned]


def answer_of(returned: Any, duration_ms: int) -> Answer:
    """Return what a capability gave back as an answer; an exception becomes a failure."""
    if isinstance(returned, BaseException):
        returned = _failure(raised(returned))
    if isinstance(returned, Returned):
        return Answer(returned.rows, duration_ms, kept_text(returned.raw))
    return Answer(returned, duration_ms)


async def attempt_in_child(
    pool: ChildPool, run: StageRun, batch: Sequence[tuple[Unit, Context]]
) -> list[Answer]:
    """Run a batch in one child; if it hangs or dies, run its units one by one to find which.

    Alone too what cannot be sent back: the unit at fault fails, its neighbours do not.
    """
    started = time.monotonic()
    timeout_s = batch[0][1].timeout_s
    try:
        answers = await _answers(pool, run.capability.name, batch, timeout_s)
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes an outcome
        if len(batch) > 1:
            alone = [await attempt_in_child(pool, run, [item]) for item in batch]
            return [answers[0] for answers in alone]
        answers = [_child_failure(error, timeout_s)]
    share = _since(started) // len(answers)
    done = [answer_of(_failure(one) if isinstance(one, Raised) else one, share) for one in answers]
    rest = batch[len(done) :]
    return done + await attempt_in_child(pool, run, rest) if rest else done


async def _answers(
    pool: ChildPool, name: str, batch: Sequence[tuple[Unit, Context]], timeout_s: float
) -> list[Any]:
    future = asyncio.wrap_future(pool.submit(name, batch, timeout_s))
    while not future.done():
        await asyncio.wait([future], timeout=MEND_S)
        pool.mend()
    return future.result()


def _child_failure(error: Exception, timeout_s: float) -> Failure:
    if isinstance(error, TimeoutError):
        return _timed_out(timeout_s)
    if not isinstance(error, ChildDied):
        return _failure(raised(error))
    detail = "The child process that ran the unit died (out of memory, or killed by the unit)."
    return Failure("worker_lost", detail, transient=True)


def _timed_out(timeout_s: float) -> Failure:
    return Failure("timeout", f"The attempt took longer than {timeout_s:g} s.", transient=True)


def _failure(error: Raised) -> Failure:
    outcome: Outcome = "failed"
    if error.outcome in ("invalid", "refused"):
        outcome = "invalid" if error.outcome == "invalid" else "refused"
    return Failure(
        error.code, error.detail, transient=error.transient, retry_after_s=error.retry_after_s,
        outcome=outcome, burns=error.burns, decided=error.decided, raw=error.raw,
        pause=error.pause, model=error.model,
    )  # fmt: skip


def _since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
