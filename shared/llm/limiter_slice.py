"""The permits one job holds in one process, and its calls that wait for more."""

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from shared.domain.bucket import Amounts, Rates
from shared.domain.waiting import Waiting
from shared.llm.limiter_store import AskedFlow

SLICE_S = 0.3  # a slice covers about this long
SLICE_LIVES_S = 0.5  # what is left of it then is put back with the next request
LOW = 0.3  # more is asked for when this part of a slice is left
PLENTY = 1e12  # stands for "no limit" in a slice
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Granted:
    """The call may go. The estimates are what was taken out of the buckets for it."""

    input_tokens: int
    output_tokens: int


@dataclass(slots=True)
class Waiter:
    """One call that waits, until the monotonic time `until` at most."""

    future: "asyncio.Future[Granted | Waiting]"
    amounts: Amounts
    until: float
    cancelled: asyncio.Event | None

    def answer(self, answer: Granted | Waiting) -> None:
        """End the wait, unless the caller is gone."""
        if not self.future.done():
            self.future.set_result(answer)

    @property
    def gone(self) -> bool:
        """True when nobody waits for the answer any more."""
        return self.future.done() or (self.cancelled is not None and self.cancelled.is_set())


class JobSlice:
    """What one job may still call without asking, and its line of waiting calls."""

    def __init__(self, job_id: str, project_id: str, weight: float, small: bool) -> None:
        self.job_id, self.project_id, self.weight, self.small = job_id, project_id, weight, small
        self.left = [0.0, 0.0, 0.0, 0.0]
        self.until = 0.0  # monotonic; what is left then is put back
        self.running_low = False
        self.waiters: deque[Waiter] = deque()
        self._low = -1.0
        self._given = [0.0, 0.0, 0.0, 0.0]
        self.used_at = 0.0  # monotonic; the last time more was asked for
        self._pace = 0.0  # calls per second lately
        self._mean: Amounts | None = None  # what one of them needed

    def take(self, amounts: Amounts) -> bool:
        """Take one call out of the slice; the last one may overdraw it."""
        left = self.left
        if left[0] <= _LEAST or left[1] <= _LEAST or left[2] <= _LEAST or left[3] <= _LEAST:
            return False
        left[0] -= amounts[0]
        left[1] -= amounts[1]
        left[2] -= amounts[2]
        left[3] -= amounts[3]
        if left[0] < self._low:
            self.running_low, self._low = True, -1.0
        return True

    def wish(self, rates: Rates, now: float, *, ahead: bool) -> AskedFlow | None:
        """Return what to ask for: the waiting calls and, with `ahead`, as many as went lately.

        At most what the whole fleet may call in `SLICE_S`, and at least one call. None when
        there is enough at hand.
        """
        if not self.waiters and not self.running_low:
            return None
        self._note_use(now)
        calls, cost_s, total = 0, 0.0, [0.0, 0.0, 0.0, 0.0]
        for amounts in self._expected(ahead):
            cost_s += _cost_s(amounts, rates)
            if calls and cost_s > SLICE_S:
                break
            calls += 1
            total = [sum(pair) for pair in zip(total, amounts, strict=True)]
        self.running_low = False
        if not calls:
            return None
        amounts = (total[0], total[1], total[2], total[3])
        return AskedFlow(self.job_id, self.project_id, self.weight, self.small, calls, amounts)

    def receive(self, asked: AskedFlow, calls: int, rates: Rates, now: float) -> None:
        """Add `calls` of those asked for, and let the waiting ones go that it is enough for."""
        if calls:
            for measure in range(4):
                if measure and rates[measure] is None:
                    self.left[measure] = self._given[measure] = PLENTY
                else:
                    more = asked.amounts[measure] * calls / asked.calls
                    self.left[measure] += more
                    self._given[measure] += more
            self.until = now + SLICE_LIVES_S
            self._low = self.left[0] * LOW if calls > 3 else -1.0
        while self.waiters and (self.waiters[0].gone or self.take(self.waiters[0].amounts)):
            self.let_go()

    def let_go(self) -> None:
        """Let the first waiting call go, or tell it that it was cancelled."""
        waiter = self.waiters.popleft()
        if waiter.gone:
            waiter.answer(Waiting("cancelled", 0.0))
        else:
            waiter.answer(Granted(int(waiter.amounts[2]), int(waiter.amounts[3])))

    def fail_all(self, error: Exception) -> None:
        """Raise an error in every call that waits."""
        for waiter in self.waiters:
            if not waiter.future.done():
                waiter.future.set_exception(error)
        self.waiters.clear()

    def hand_back(self) -> list[float]:
        """Return what is left (or, negative, was overdrawn) of the slice, which is empty then."""
        left, self.left = self.left, [0.0, 0.0, 0.0, 0.0]
        self._given = [0.0, 0.0, 0.0, 0.0]
        self.until, self._low, self.running_low = 0.0, -1.0, False
        return left

    def line_s(self, rates: Rates) -> float:
        """Return about how long the line is, in seconds, 1 to 60."""
        cost_s = sum(_cost_s(waiter.amounts, rates) for waiter in self.waiters)
        return min(60.0, max(1.0, cost_s))

    def _note_use(self, now: float) -> None:
        """Learn pace and mean of the calls since the last request."""
        used = [given - left for given, left in zip(self._given, self.left, strict=True)]
        passed, self.used_at = now - self.used_at, now
        self._given = list(self.left)
        if used[0] > _LEAST:
            self._mean = (1.0, used[1] / used[0], used[2] / used[0], used[3] / used[0])
        if passed > 0:
            self._pace = max(used[0] / passed, self._pace * math.exp(-passed / SLICE_S))

    def _expected(self, ahead: bool) -> Iterator[Amounts]:
        for waiter in self.waiters:
            yield waiter.amounts
        mean = self._mean or (self.waiters[0].amounts if self.waiters else None)
        if not ahead or mean is None:
            return
        for _ in range(max(math.ceil(self._pace * SLICE_S), len(self.waiters))):
            yield mean


def _cost_s(amounts: Amounts, rates: Rates) -> float:
    return max(amount / rate if rate else 0.0 for amount, rate in zip(amounts, rates, strict=True))
