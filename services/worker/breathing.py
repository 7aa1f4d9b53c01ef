"""Runs a capability on the event loop so that code which holds it does not starve the heartbeat."""

import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

T = TypeVar("T")

HELD_S = 0.05  # a step that takes this long is no waiting: it computes, or blocks
SHARE = 0.1  # of such a time, which other threads get afterwards


class Breathing(Awaitable[T]):
    """Awaits `made`; after each step that held the loop for long, other threads get a moment.

    A heartbeat is several round trips, and after each it waits for the interpreter again. Where
    one unit after the other holds it, each of these waits lasts a unit, and a lease runs out
    though no single unit took a third of it. Sleeping lets the heartbeat through as a whole.
    """

    def __init__(self, made: Awaitable[T]) -> None:
        self._made = made

    def __await__(self) -> Generator[Any, Any, T]:
        """Pass on what `made` waits for, and what is thrown in."""
        steps = self._made.__await__()
        step: Callable[[], Any] = steps.__next__
        while True:
            try:
                waited_for = unhurried(step)
            except StopIteration as ended:
                result: T = ended.value
                return result
            step = yield from _passed_on(steps, waited_for)


def unhurried(step: Callable[[], T]) -> T:
    """Call `step`; when it took long, sleep for a share of that, however it ended."""
    began = time.monotonic()
    try:
        return step()
    finally:
        if (held_s := time.monotonic() - began) > HELD_S:
            time.sleep(held_s * SHARE)


def _passed_on(
    steps: Generator[Any, Any, Any], waited_for: Any
) -> Generator[Any, Any, Callable[[], Any]]:
    """Wait; return the next step: going on (loops send nothing), or with what was thrown in."""
    try:
        yield waited_for
    except GeneratorExit:
        steps.close()
        raise
    except BaseException as error:  # noqa: BLE001 - it is thrown on, into the capability
        thrown = error
        return lambda: steps.throw(thrown)
    return steps.__next__
