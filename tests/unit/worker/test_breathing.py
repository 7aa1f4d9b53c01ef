"""A step that holds the loop is followed by a pause; everything else passes as it is."""

import asyncio
import time
from collections.abc import Awaitable
from types import SimpleNamespace

import pytest

from services.worker import breathing
from services.worker.breathing import Breathing, unhurried


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which are noted and not made."""
    pauses: list[float] = []
    monkeypatch.setattr(breathing, "HELD_S", 0.02)
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=pauses.append)  # of it alone
    monkeypatch.setattr(breathing, "time", clock)
    return pauses


def run(made: Awaitable[object]) -> object:
    async def whole() -> object:
        return await Breathing(made)

    return asyncio.run(whole())


def hold() -> None:
    time.sleep(0.05)


def test_each_step_that_holds_the_loop_is_followed_by_a_share_of_its_time(
    slept: list[float],
) -> None:
    async def hog() -> str:
        hold()
        await asyncio.sleep(0)
        hold()
        return "done"

    assert run(hog()) == "done"
    assert len(slept) == 2
    assert all(pause >= 0.05 * breathing.SHARE for pause in slept)


def test_waiting_holds_nothing(slept: list[float]) -> None:
    async def waits() -> str:
        await asyncio.sleep(0.05)
        return await asyncio.get_running_loop().run_in_executor(None, lambda: "done")

    assert run(waits()) == "done"
    assert slept == []


def test_a_step_that_ends_in_an_error_is_followed_by_a_pause_too(slept: list[float]) -> None:
    def broken() -> None:
        hold()
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        unhurried(broken)
    assert len(slept) == 1


def test_what_is_thrown_in_reaches_the_code_that_waits() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except TimeoutError:
            return "never"
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return "was told"
        return "never"

    async def whole() -> object:
        async def inside() -> object:
            return await Breathing(stubborn())

        task = asyncio.ensure_future(inside())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(whole()) == "was told"


def test_a_limit_in_time_holds_across_it() -> None:
    async def whole() -> None:
        async with asyncio.timeout(0.01):
            await Breathing(asyncio.sleep(60))

    with pytest.raises(TimeoutError):
        asyncio.run(whole())


def test_tasks_and_futures_can_be_awaited_as_well_as_coroutines() -> None:
    async def whole() -> object:
        return await Breathing(asyncio.ensure_future(asyncio.sleep(0, "done")))

    assert asyncio.run(whole()) == "done"


def test_it_closes_what_it_awaits() -> None:
    closed = []

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            closed.append(True)

    steps = Breathing(waits()).__await__()

    async def begun() -> None:
        next(steps).cancel()
        steps.close()

    asyncio.run(begun())
    assert closed == [True]
