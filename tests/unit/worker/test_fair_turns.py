"""Places on the event loop are shared by jobs, not by who came first."""

import asyncio
from contextlib import suppress

import pytest

from services.worker.fair_turns import FairTurns


class Work:
    """Units that hold a place until told; remembers the order in which they got one."""

    def __init__(self, turns: FairTurns) -> None:
        self.turns = turns
        self.began: list[str] = []
        self.ends: list[asyncio.Event] = []

    def unit(self, job: str, weight: float = 1.0) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run(job, weight))

    async def _run(self, job: str, weight: float) -> None:
        async with self.turns.turn(job, weight):
            self.began.append(job)
            over = asyncio.Event()
            self.ends.append(over)
            await over.wait()

    async def end_first(self) -> None:
        self.ends.pop(0).set()
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_small_job_gets_the_next_place_though_a_huge_one_waits() -> None:
    async def scene() -> None:
        work = Work(FairTurns(2))
        tasks = [work.unit("huge") for _ in range(50)]
        await settle()
        assert work.began == ["huge", "huge"]
        tasks.append(work.unit("small"))
        await work.end_first()
        assert work.began == ["huge", "huge", "small"]
        await work.end_first()
        assert work.began[-1] == "huge"
        await stop(tasks)

    asyncio.run(scene())


def test_weight_is_a_share() -> None:
    async def scene() -> None:
        work = Work(FairTurns(8))
        blocker = [work.unit("first") for _ in range(8)]
        await settle()
        tasks = [work.unit(job, weight) for job, weight in [("a", 3.0), ("b", 1.0)] * 8]
        for _ in range(8):
            await work.end_first()
        assert (work.began.count("a"), work.began.count("b")) == (6, 2)
        await stop([*blocker, *tasks])

    asyncio.run(scene())


@pytest.mark.parametrize("began", [True, False])
def test_a_unit_that_is_cancelled_leaves_its_place(began: bool) -> None:
    async def scene() -> None:
        work = Work(FairTurns(1))
        one, two = work.unit("job"), work.unit("job")
        await settle()
        (one if began else two).cancel()
        await settle()
        three = work.unit("other")
        if not began:
            await work.end_first()
            assert work.began == ["job", "other"]
        else:
            assert work.began == ["job", "job"]
        await stop([one, two, three])

    asyncio.run(scene())


def test_a_place_given_in_the_moment_of_a_cancel_is_not_lost() -> None:
    async def scene() -> None:
        turns = FairTurns(1)
        work = Work(turns)
        one, two, three = work.unit("a"), work.unit("a"), work.unit("a")
        await settle()
        work.ends[0].set()
        await asyncio.sleep(0)  # the first one is over: its place is given to the second one
        two.cancel()
        await settle()
        assert work.began == ["a", "a"]
        await stop([one, two, three])

    asyncio.run(scene())


@pytest.mark.parametrize("places", [1, 2, 5])
def test_nothing_is_remembered_of_jobs_that_ended_or_never_began(places: int) -> None:
    async def scene() -> None:
        turns = FairTurns(places)
        work = Work(turns)
        tasks = [work.unit(job, 2.0) for job in ["a", "b", "a", "c", "d"]]
        await settle()
        tasks.pop().cancel()
        while work.ends:
            await work.end_first()
        await stop(tasks)
        assert [found for found in vars(turns).values() if found] == [places]

    asyncio.run(scene())


async def stop(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
