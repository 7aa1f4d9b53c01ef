"""Shares the places of one event loop between jobs: a small one does not wait behind a huge one."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairTurns:
    """`places` units at once; a free one goes to the job that has the fewest for its weight.

    Units of one job go in the order they came. To be used from one event loop.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._weights: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, job_id: str, weight: float = 1.0) -> AsyncIterator[None]:
        """Wait for a place and hold it; `weight` is the job's share against others'."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, deque()).append(place)
        self._weights[job_id] = weight
        self._give()
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._forget(job_id)
            else:  # it was given in the same moment
                self._take_back(job_id)
            raise
        try:
            yield
        finally:
            self._take_back(job_id)

    def _give(self) -> None:
        while self._free and (job_id := self._next_job()) is not None:
            self._waiting[job_id].popleft().set_result(None)
            self._running[job_id] += 1
            self._free -= 1

    def _next_job(self) -> str | None:
        for job_id in list(self._waiting):
            self._forget(job_id)
        return min(
            self._waiting, key=lambda id_: self._running[id_] / self._weights[id_], default=None
        )

    def _take_back(self, job_id: str) -> None:
        self._free += 1
        self._running[job_id] -= 1
        if not self._running[job_id]:
            del self._running[job_id]
        self._give()
        self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        """Drop places nobody waits for any more, and a job that has none and waits for none."""
        places = self._waiting.get(job_id, deque())
        while places and places[0].done():
            places.popleft()
        if not places:
            self._waiting.pop(job_id, None)
            if job_id not in self._running:
                self._weights.pop(job_id, None)
