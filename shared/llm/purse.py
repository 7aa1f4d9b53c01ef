"""One job's money in one process: a call takes its estimate out, the truth is settled after."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Literal

from shared.domain.budget import NOTHING, Ask, Busy, Exhausted, Spend, wish
from shared.domain.waiting import Waiting

LOW_PART = 2  # more is asked for when less than this part of the last slice is left
BUSY_S = 1.0  # ask again after this when others hold what is left
FILLING_S = 0.05
RAISED_S = 1.0  # after "exhausted", this is when to look whether the budget was raised
PACE_S = 0.5  # the pace is measured over at least this long


@dataclass(frozen=True, slots=True)
class Statement:
    """What `settle` books: all since the start that was spent or got no answer; what is held."""

    spent: Spend
    holding: Spend
    unanswered: Spend = NOTHING


class Purse:
    """Money reserved for one job; any thread may use it, none ever waits for the database.

    `need_more()` is called when it runs low; it must return at once, and somebody answers it with
    `ask`, `filled` and `refused`.
    """

    def __init__(
        self, need_more: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.turn = threading.Lock()  # who books holds this from `statement` to `confirm`
        self._need_more = need_more
        self._clock = clock
        self._lock = threading.Lock()
        self._free = NOTHING  # reserved and not taken; may be overdrawn
        self._taken = NOTHING  # by calls under way
        self._spent = NOTHING
        self._unanswered = NOTHING  # estimates of calls that went out and told no cost
        self._slice = NOTHING
        self._call = NOTHING  # the last estimate
        self._least = NOTHING  # the largest estimate that did not fit
        self._unmet = NOTHING  # all that did not fit since the last answer
        self._asked = False
        self._refusal: Busy | Exhausted | None = None
        self._refused_at = 0.0
        self._pace, self._paced, self._paced_at = NOTHING, NOTHING, clock()
        self._used_at = clock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = set()

    def may_spend(self, estimate: Spend) -> Literal[True] | Waiting:
        """Take an estimate out for a call.

        Every True is followed by `spent`, `unanswered` or `not_spent`. Waiting is `final` when the
        budget is used up: see `exhausted`.
        """
        with self._lock:
            self._used_at, self._call = self._clock(), estimate
            answer = self._take(estimate)
            ask = self._may_ask() and (answer is not True or self._is_low())
            if ask:
                self._asked = True
                self._refusal = None  # it may have been raised since: an old word is no answer
                answer = answer if answer is True else Waiting("budget", FILLING_S)
        if ask:
            self._need_more()
        return answer

    async def may_spend_soon(
        self, estimate: Spend, patience_s: float = 5.0
    ) -> Literal[True] | Waiting:
        """Do the same, but wait a while for a slice that is on its way."""
        loop, deadline = asyncio.get_running_loop(), self._clock() + patience_s
        while True:
            future = loop.create_future()
            entry = (loop, future)
            with self._lock:
                self._waiting.add(entry)
            try:
                answer = self.may_spend(estimate)
                left_s = deadline - self._clock()
                if answer is True or answer.final or left_s <= 0:
                    return answer
                async with asyncio.timeout(min(left_s, answer.retry_in_s + BUSY_S)):
                    await future
            except TimeoutError:
                pass
            finally:
                with self._lock:
                    self._waiting.discard(entry)

    def spent(self, estimate: Spend, actual: Spend) -> None:
        """Book what a call cost; more than its estimate is covered by what is left."""
        with self._lock:
            self._taken -= estimate
            self._free += estimate - actual
            self._spent += actual
            self._used_at = self._clock()

    def unanswered(self, estimate: Spend, took_ms: int) -> None:
        """The call went out and nobody said what it cost: its estimate is gone, as unknown."""
        with self._lock:
            self._taken -= estimate
            self._free += Spend(ms=estimate.ms - took_ms)
            self._spent += Spend(ms=took_ms)
            self._unanswered += Spend(estimate.microusd, estimate.tokens)
            self._used_at = self._clock()

    def not_spent(self, estimate: Spend) -> None:
        """The call never went out."""
        self.spent(estimate, NOTHING)

    @property
    def exhausted(self) -> Exhausted | None:
        """Why the job is at its limit: pause it, or finish it, as its policy says."""
        refusal = self._refusal
        return refusal if isinstance(refusal, Exhausted) else None

    @property
    def idle_s(self) -> float:
        """Return for how long nothing was asked of this purse; 0 while a call is under way."""
        with self._lock:
            return 0.0 if self._taken != NOTHING else self._clock() - self._used_at

    def ask(self) -> Ask | None:
        """Return what to reserve now; None when there is enough at hand."""
        with self._lock:
            self._measure_pace()
            ahead = wish(self._call, self._pace).most(self._unmet)
            least = _positive(self._least - self._free)
            wanted = _positive(ahead - self._free).most(least)
            if wanted == NOTHING:
                self._asked = False
                return None
            return Ask(least, wanted)

    def filled(self, granted: Spend) -> None:
        """Put a slice in that was reserved; an empty one says that next to nothing is left."""
        with self._lock:
            self._free += granted
            self._slice = self._free
            self._answered(None if granted != NOTHING else Busy("job", "microusd"))
        self._tell()

    def refused(self, refusal: Busy | Exhausted) -> None:
        """Nothing was to be had."""
        with self._lock:
            self._answered(refusal)
        self._tell()

    def statement(self, *, hand_back: bool = False) -> Statement:
        """Return what to settle; with `hand_back` what no call has taken is given up."""
        with self._lock:
            if hand_back:
                self._free -= _positive(self._free)
                self._slice = NOTHING
            holding = _positive(self._free + self._taken)
            return Statement(self._spent, holding, self._unanswered)

    def confirm(self, stated: Statement, reserved: Spend) -> None:
        """Learn what is really reserved: less than stated when our lease had run out."""
        with self._lock:
            self._free -= _positive(stated.holding - reserved)

    def start_from(self, settled: Spend, unanswered: Spend = NOTHING) -> None:
        """Count on from what this process has booked for the job before this purse was made."""
        with self._lock:
            if self._spent == NOTHING and self._unanswered == NOTHING:
                self._spent = self._paced = settled
                self._unanswered = unanswered

    def _take(self, estimate: Spend) -> Literal[True] | Waiting:
        if estimate.fits(self._free):
            self._free -= estimate
            self._taken += estimate
            return True
        self._least = self._least.most(estimate)
        self._unmet += estimate
        return self._not_now()

    def _is_low(self) -> bool:
        part = Spend(*(number // LOW_PART for number in astuple(self._slice)))
        return not part.fits(self._free)

    def _may_ask(self) -> bool:
        """Ask once at a time, and after a refusal only when its time is over."""
        if self._asked:
            return False
        if self._refusal is None:
            return True
        pause_s = RAISED_S if isinstance(self._refusal, Exhausted) else BUSY_S
        return self._clock() - self._refused_at >= pause_s

    def _not_now(self) -> Waiting:
        if isinstance(self._refusal, Exhausted):
            return Waiting("budget", RAISED_S, final=True)
        return Waiting("budget", BUSY_S if self._refusal else FILLING_S)

    def _answered(self, refusal: Busy | Exhausted | None) -> None:
        self._refusal, self._refused_at, self._asked = refusal, self._clock(), False
        self._least, self._unmet = NOTHING, NOTHING

    def _measure_pace(self) -> None:
        passed = self._clock() - self._paced_at
        if passed >= PACE_S:
            went = self._spent - self._paced
            self._pace = Spend(*(int(number / passed) for number in astuple(went)))
            self._paced, self._paced_at = self._spent, self._clock()

    def _tell(self) -> None:
        """Wake the calls that wait, each on its own loop."""
        with self._lock:
            waiting = list(self._waiting)
        for loop, future in waiting:
            loop.call_soon_threadsafe(_wake, future)


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _positive(spend: Spend) -> Spend:
    return spend.most(NOTHING)
