"""One limiter for the whole fleet: who may call a model now, shared through Redis."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from shared.domain.bucket import Amounts, RateLimits, Rates
from shared.domain.model_call import LimitHints
from shared.domain.waiting import Waiting
from shared.llm.limiter_queue import EndpointQueue
from shared.llm.limiter_slice import Granted
from shared.llm.limiter_store import LimiterStore

__all__ = ["Granted", "Limiter"]

PATIENCE_S = 30.0
LONGEST_HOLD_S = 900.0  # a longer Retry-After is asked again after this
WATCH_S = 0.05  # while calls go, holds of others are looked for this often
PRESENT_S = 5.0
NEARLY_EMPTY = 0.02  # of the provider's own limit
SLOWER_S = 5.0
TELL_AGAIN_S = 60.0  # Redis is told limits it was told already


class Limiter:
    """Permits for model calls, per endpoint and model, in slices leased from Redis.

    Belongs to one event loop. An endpoint key names an endpoint and a model; it is seen in Redis.
    """

    def __init__(self, redis_url: str, process_id: str, *, patience_s: float = PATIENCE_S) -> None:
        self._store = LimiterStore(redis_url, process_id)
        self._patience_s = patience_s
        self._queues: dict[str, EndpointQueue] = {}
        self._told: dict[str, tuple[Rates, float]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._used = asyncio.Event()
        self._closed = False

    @property
    def alone(self) -> bool:
        """True while Redis is away and this process keeps to a fixed share of each rate."""
        return self._store.away

    async def acquire(
        self, endpoint_key: str, job_id: str, project_id: str, weight: float, *, small: bool,
        input_tokens: int, output_tokens: int, limits: RateLimits, requests: int = 1,
        cancelled: asyncio.Event | None = None,
    ) -> Granted | Waiting:  # fmt: skip
        """Return Granted when the call may go now; tokens are estimates, see `settle`.

        Waits in line at most `patience_s`, and not at all for a hold longer than 2 s: then the
        answer is Waiting (`rate_limited`), as it is once `cancelled` is set (`cancelled`).
        `weight` (above 0) is the project's weight times the job's priority. `small` jobs
        together are sure of a tenth of the rate.
        """
        queue = self._queues.get(endpoint_key) or self._open(endpoint_key)
        amounts: Amounts = (requests, input_tokens + output_tokens, input_tokens, output_tokens)
        if queue.take(job_id, amounts, limits):
            return Granted(input_tokens, output_tokens)
        if self._closed:
            return Waiting("cancelled", 0.0, endpoint_key)
        self._used.set()
        return await queue.wait(job_id, project_id, weight, small, amounts, cancelled)

    def settle(
        self, endpoint_key: str, granted: Granted, input_tokens: int, output_tokens: int
    ) -> None:
        """Say what a granted call really took: the difference goes back into the buckets."""
        fewer_in = granted.input_tokens - input_tokens
        fewer_out = granted.output_tokens - output_tokens
        if fewer_in or fewer_out:
            self._queues[endpoint_key].put_back((0.0, fewer_in + fewer_out, fewer_in, fewer_out))

    def report(
        self, endpoint_key: str, hints: LimitHints | None = None,
        retry_after_s: float | None = None,
    ) -> None:  # fmt: skip
        """Pass on what an answer told: limits by header, and after a 429 how long nobody calls.

        Returns at once; this process obeys from now on, the others within `WATCH_S` and the
        time Redis takes.
        """
        queue = self._queues.get(endpoint_key) or self._open(endpoint_key)
        if retry_after_s is not None and retry_after_s > 0:
            seconds = min(retry_after_s, LONGEST_HOLD_S)
            queue.hold(seconds)
            self._start(self._store.hold(endpoint_key, seconds))
        if hints is not None:
            self._learn(endpoint_key, hints)

    def rests(self, endpoint_key: str, seconds: float) -> None:
        """Let be seen that a breaker leaves an endpoint alone (`shared/llm/state.py`)."""
        self._start(self._store.rest(endpoint_key, seconds))

    async def close(self) -> None:
        """Send away who waits and let go of Redis."""
        self._closed = True
        while self._tasks:  # the Redis client may swallow a cancellation while it connects
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=0.1)
        for queue in self._queues.values():
            queue.refuse_all()
        await self._store.close()

    def _open(self, endpoint_key: str) -> EndpointQueue:
        if not self._queues:
            self._start(self._watch())
            self._start(self._stay_present())
        queue = EndpointQueue(endpoint_key, self._store, self._patience_s)
        self._queues[endpoint_key] = queue
        self._start(queue.run())
        return queue

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        """While calls go, look whether another process was told to wait."""
        while True:
            used = [key for key, queue in self._queues.items() if queue.take_used()]
            if not used:
                self._used.clear()
                await self._used.wait()
            else:
                await self._look_for_holds(used)
            await asyncio.sleep(WATCH_S)

    async def _look_for_holds(self, endpoint_keys: list[str]) -> None:
        holds = await self._store.holds(endpoint_keys)
        for endpoint_key, seconds in zip(endpoint_keys, holds or (), strict=False):
            if seconds > 0:
                self._queues[endpoint_key].hold(seconds)
            else:
                self._queues[endpoint_key].note_no_hold()

    async def _stay_present(self) -> None:
        while True:
            await self._store.present()
            await asyncio.sleep(PRESENT_S)

    def _learn(self, endpoint_key: str, hints: LimitHints) -> None:
        """Tell Redis of limits that are news, and of a provider that is nearly empty."""
        rates, slower_s = _rates_of(hints), _slower_s(hints)
        now = asyncio.get_running_loop().time()
        known, told_at = self._told.get(endpoint_key, (None, -TELL_AGAIN_S))
        pause_s = 1.0 if slower_s else TELL_AGAIN_S
        if rates == known and now - told_at < pause_s:
            return
        self._told[endpoint_key] = (rates, now)
        self._start(self._pass_on(endpoint_key, rates, slower_s))

    async def _pass_on(self, endpoint_key: str, rates: Rates, slower_s: float) -> None:
        await self._store.learn(endpoint_key, rates, slower_s)
        self._queues[endpoint_key].ask_again()


def _rates_of(hints: LimitHints) -> Rates:
    """Return the told limits per second. A limit per day looks larger than it is: harmless."""
    return RateLimits(
        hints.requests_limit, hints.tokens_limit, hints.input_tokens_limit,
        hints.output_tokens_limit,
    ).per_second()  # fmt: skip


def _slower_s(hints: LimitHints) -> float:
    """Return for how long to go slower: a little, when the provider's bucket is nearly empty."""
    pairs = (
        (hints.requests_limit, hints.requests_remaining, hints.requests_reset_s),
        (hints.tokens_limit, hints.tokens_remaining, hints.tokens_reset_s),
        (hints.input_tokens_limit, hints.input_tokens_remaining, hints.tokens_reset_s),
        (hints.output_tokens_limit, hints.output_tokens_remaining, hints.tokens_reset_s),
    )
    return max(
        min(SLOWER_S, SLOWER_S if reset_s is None else reset_s)
        if limit and remaining is not None and remaining < limit * NEARLY_EMPTY
        else 0.0
        for limit, remaining, reset_s in pairs
    )
