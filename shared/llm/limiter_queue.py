"""One endpoint in one process: slices by job, the calls that wait, and the asking for more."""

import asyncio
import time

from shared.domain.bucket import Amounts, RateLimits, Rates
from shared.domain.waiting import Waiting
from shared.llm.limiter_alone import AloneShare
from shared.llm.limiter_slice import SLICE_LIVES_S, Granted, JobSlice, Waiter
from shared.llm.limiter_store import PROCESSES_UNKNOWN, AskedFlow, LimiterStore, Slice

SHORTEST_PAUSE_S = 0.05  # between two requests when the last one was not met in full
LONGEST_PAUSE_S = 0.5
HELD_PATIENCE_S = 2.0  # a hold longer than this is not waited for in place
FORGET_S = 60.0
UNLIMITED_S = 5.0  # then Redis is asked again whether headers told of a limit


class EndpointQueue:
    """Permits and waiting calls of one endpoint; lives on one event loop.

    `run` must be running for calls that wait to be served.
    """

    def __init__(self, endpoint_key: str, store: LimiterStore, patience_s: float) -> None:
        self.endpoint_key = endpoint_key
        self.rates: Rates = (None, None, None, None)  # of the fleet, headers included
        self._store = store
        self._patience_s = patience_s
        self._limits = RateLimits()
        self._slices: dict[str, JobSlice] = {}
        self._back = [0.0, 0.0, 0.0, 0.0]  # put back (or taken out) with the next request
        self._held_until = 0.0
        self._unlimited_until = 0.0
        self._fresh_until = 0.0  # until then nobody has to look whether there is a hold
        self._used = False
        self._short = False  # the last request was not met in full
        self._looked_at = 0.0
        self._wake = asyncio.Event()
        self._alone: AloneShare | None = None
        self._broken: Exception | None = None

    def take(self, job_id: str, amounts: Amounts, limits: RateLimits) -> bool:
        """Return True when the call may go at once, out of the slice at hand."""
        if limits is not self._limits and limits != self._limits:
            self._follow(limits)
        now = time.monotonic()
        if now < self._unlimited_until:
            self._used = True
            return self._held_until <= now < self._fresh_until
        mine = self._slices.get(job_id)
        if mine is None or now >= mine.until or mine.waiters or not mine.take(amounts):
            return False
        if mine.running_low:
            self._wake.set()
        return True

    async def wait(
        self, job_id: str, project_id: str, weight: float, small: bool, amounts: Amounts,
        cancelled: asyncio.Event | None,
    ) -> Granted | Waiting:  # fmt: skip
        """Wait in line for a permit, at most as long as patience lasts."""
        if self._broken is not None:
            raise self._broken
        now = time.monotonic()
        if self._held_until - now > HELD_PATIENCE_S:
            return self._not_now(self._held_until - now)
        mine = self._slices.get(job_id)
        if mine is None:
            mine = self._slices[job_id] = JobSlice(job_id, project_id, weight, small)
        mine.weight, mine.small = weight, small
        future: asyncio.Future[Granted | Waiting] = asyncio.get_running_loop().create_future()
        if not mine.waiters:
            self._wake.set()
        mine.waiters.append(Waiter(future, amounts, now + self._patience_s, cancelled))
        return await future

    def put_back(self, amounts: Amounts) -> None:
        """Correct an estimate: what was taken too much (or, negative, too little)."""
        for measure, rate in enumerate(self.rates):
            if rate is not None:
                self._back[measure] += amounts[measure]

    def hold(self, seconds: float) -> None:
        """Let nothing go for so long; the slices at hand are put back."""
        until = time.monotonic() + seconds
        if until > self._held_until:
            self._held_until = until
            for mine in self._slices.values():
                self._empty(mine)
            self._wake.set()

    def note_no_hold(self) -> None:
        """Redis was asked just now: nobody holds this endpoint."""
        self._fresh_until = time.monotonic() + SLICE_LIVES_S

    def ask_again(self) -> None:
        """The limits are others now: what is at hand was measured by the old ones."""
        self._unlimited_until = 0.0
        for mine in self._slices.values():
            mine.hand_back()

    def take_used(self) -> bool:
        """Return True when calls go or wait, or went since this was last asked.

        Nobody looks for holds of an endpoint that is not used, so its next call asks first.
        """
        now, used = time.monotonic(), self._used
        self._used = False
        if used or any(mine.waiters or now < mine.until for mine in self._slices.values()):
            return True
        self._fresh_until = 0.0
        return False

    async def run(self) -> None:
        """Serve the waiting calls until cancelled; an error of ours reaches whoever waits."""
        pause_s: float | None = None
        try:
            while True:
                await self._rest(pause_s)
                self._wake.clear()
                pause_s = await self._round()
        except Exception as error:
            self._broken = error
            for mine in self._slices.values():
                mine.fail_all(error)
            raise

    def refuse_all(self) -> None:
        """Send everybody away who still waits: the process stops."""
        for mine in self._slices.values():
            for waiter in mine.waiters:
                waiter.answer(Waiting("cancelled", 0.0, self.endpoint_key))
            mine.waiters.clear()

    def _follow(self, limits: RateLimits) -> None:
        """The configured limits are others now: start over with them."""
        self._limits, self.rates = limits, limits.per_second()
        self.ask_again()

    async def _rest(self, pause_s: float | None) -> None:
        """Sleep until woken; with `pause_s` no longer than that, but a little in any case."""
        if pause_s is not None:
            first = min(pause_s, SHORTEST_PAUSE_S)
            await asyncio.sleep(first)
            pause_s -= first
            if pause_s <= 0:
                return
        try:
            async with asyncio.timeout(pause_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _round(self) -> float | None:
        """Ask once and serve whom it is enough for; return how long to rest (None: until woken)."""
        now = time.monotonic()
        self._look_through(now)
        held_s = self._held_until - now
        if held_s > 0:
            return min(held_s, LONGEST_PAUSE_S) if self._any_wait() else None
        wanted = []
        for mine in self._slices.values():
            asked = mine.wish(self.rates, now, ahead=not self._short)
            if asked is not None:
                if mine.waiters:
                    self._empty(mine)
                wanted.append((mine, asked))
        if not wanted:
            return None
        return await self._ask(wanted)

    async def _ask(self, wanted: list[tuple[JobSlice, AskedFlow]]) -> float | None:
        asked = [ask for _, ask in wanted]
        got = await self._request(asked)
        now = time.monotonic()
        if got.hold_s > 0:
            self.hold(got.hold_s)
            return min(got.hold_s, LONGEST_PAUSE_S)
        if got.rates != self.rates:
            self.rates = got.rates
            self.ask_again()
        unlimited = all(rate is None for rate in got.rates)
        self._unlimited_until = now + UNLIMITED_S if unlimited else 0.0
        self.note_no_hold()
        for (mine, ask), calls in zip(wanted, got.given, strict=True):
            mine.receive(ask, calls, got.rates, now)
        if unlimited:
            self._let_all_go()
        self._short = any(calls < ask.calls for ask, calls in zip(asked, got.given, strict=True))
        if self._short:
            return min(max(got.wait_s, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)
        if self._any_wait():
            return SHORTEST_PAUSE_S if self._alone else 0.0
        return None

    async def _request(self, asked: list[AskedFlow]) -> Slice:
        """Ask the fleet's bucket, or our own while Redis is away."""
        back, self._back = self._back, [0.0, 0.0, 0.0, 0.0]
        got = await self._store.ask(
            self.endpoint_key,
            self._limits.per_second(),
            asked,
            (back[0], back[1], back[2], back[3]),
        )
        if got is not None:
            self._alone = None
            return got
        made_for = (self.rates, self._store.processes or PROCESSES_UNKNOWN)
        now, first = time.monotonic(), asked[0]
        if self._alone is None or self._alone.made_for != made_for:
            size = [amount / first.calls for amount in first.amounts]
            self._alone = AloneShare(*made_for, (size[0], size[1], size[2], size[3]), now)
        return self._alone.give(asked, back, now)

    def _look_through(self, now: float) -> None:
        """Empty slices that lived too long; send away who waited too long or is not wanted."""
        for mine in self._slices.values():
            if mine.until and now >= mine.until:
                self._empty(mine)
        if now - self._looked_at < LONGEST_PAUSE_S and self._held_until <= now:
            return
        self._looked_at = now
        for job_id, mine in list(self._slices.items()):
            if mine.waiters:
                self._send_away(mine, now)
            elif not mine.until and now - mine.used_at > FORGET_S:
                del self._slices[job_id]

    def _send_away(self, mine: JobSlice, now: float) -> None:
        staying = [waiter for waiter in mine.waiters if not self._sent_away(waiter, mine, now)]
        mine.waiters.clear()
        mine.waiters.extend(staying)

    def _sent_away(self, waiter: Waiter, mine: JobSlice, now: float) -> bool:
        if waiter.gone:
            waiter.answer(Waiting("cancelled", 0.0, self.endpoint_key))
        elif self._held_until - now > HELD_PATIENCE_S:
            waiter.answer(self._not_now(self._held_until - now))
        elif waiter.until <= now:
            waiter.answer(self._not_now(mine.line_s(self.rates)))
        else:
            return False
        return True

    def _empty(self, mine: JobSlice) -> None:
        left = mine.hand_back()
        self.put_back((left[0], left[1], left[2], left[3]))

    def _let_all_go(self) -> None:
        for mine in self._slices.values():
            while mine.waiters:
                mine.let_go()

    def _any_wait(self) -> bool:
        return any(mine.waiters for mine in self._slices.values())

    def _not_now(self, seconds: float) -> Waiting:
        return Waiting("rate_limited", seconds, self.endpoint_key)
