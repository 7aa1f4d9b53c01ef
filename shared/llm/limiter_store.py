"""Speaks to Redis for the limiter: quick answers, or None while it is away."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import orjson
import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.domain.bucket import Amounts, Rates
from shared.llm.limiter_script import ASK, HOLD, LEARN, PRESENT
from shared.log import get_logger

T = TypeVar("T")

PREFIX = "{apwa:limit}:"  # one slot of a cluster, so that one call may touch two keys
RESTING = f"{PREFIX}resting:"
_PROCESSES = f"{PREFIX}processes"
ANSWER_S = 0.5  # Redis is away when it takes longer
LOOK_AGAIN_S = 1.0  # while it is away, it is tried this often
PROCESS_GONE_S = 15.0
PROCESSES_UNKNOWN = 4  # assumed while Redis has never answered


@dataclass(frozen=True, slots=True)
class AskedFlow:
    """Calls that one job has waiting here, and what they need together."""

    job_id: str
    project_id: str
    weight: float
    small: bool
    calls: int
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Slice:
    """What the fleet's bucket gave: whole calls per flow, in the order they were asked for.

    With `hold_s` above 0 nobody may call. `wait_s` is 0 when all was given. `rates` are those in
    force, headers included.
    """

    given: list[int]
    hold_s: float
    wait_s: float
    rates: Rates


class LimiterStore:
    """The keys of the limiter in Redis; used from one event loop only."""

    def __init__(self, redis_url: str, process_id: str) -> None:
        self.process_id = process_id
        self.processes = 0  # as last known; 0 = never known
        self.away = False
        self._look_again_at = 0.0
        self._redis = redis.asyncio.Redis.from_url(
            redis_url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        self._ask = self._redis.register_script(ASK)
        self._hold = self._redis.register_script(HOLD)
        self._learn = self._redis.register_script(LEARN)
        self._present = self._redis.register_script(PRESENT)

    async def ask(
        self, endpoint_key: str, rates: Rates, flows: Sequence[AskedFlow], back: Amounts
    ) -> Slice | None:
        """Ask for a slice; `back` is put into the bucket first (or, negative, taken out)."""
        request = orjson.dumps(
            {
                "rates": [-1 if rate is None else rate for rate in rates],
                "back": back,
                "flows": [
                    {
                        "job": flow.job_id, "project": flow.project_id, "weight": flow.weight,
                        "small": flow.small, "calls": flow.calls, "amounts": flow.amounts,
                    }
                    for flow in flows
                ],
            }
        )  # fmt: skip
        keys = [f"{PREFIX}bucket:{endpoint_key}", f"{PREFIX}hold:{endpoint_key}", _PROCESSES]
        told = await self._try(lambda: self._ask(keys=keys, args=[self.process_id, request]))
        if told is None:
            return None
        answer = orjson.loads(told)
        self.processes = max(1, answer["processes"])
        return Slice(
            given=list(answer["given"]),
            hold_s=answer["hold_ms"] / 1000,
            wait_s=answer["wait_s"],
            rates=cast("Rates", tuple(None if rate < 0 else rate for rate in answer["rates"])),
        )

    async def hold(self, endpoint_key: str, seconds: float) -> None:
        """Nobody in the fleet calls this endpoint for so long; never shortens a hold."""
        keys = [f"{PREFIX}hold:{endpoint_key}"]
        await self._try(lambda: self._hold(keys=keys, args=[max(1, round(seconds * 1000))]))

    async def rest(self, endpoint_key: str, seconds: float) -> None:
        """Let be seen that this process leaves an endpoint alone; others decide for themselves."""
        ms = max(1, round(seconds * 1000))
        await self._try(lambda: self._redis.set(f"{RESTING}{endpoint_key}", "1", px=ms))

    async def holds(self, endpoint_keys: Sequence[str]) -> list[float] | None:
        """Return how long each endpoint is on hold, in seconds; 0 where it is not."""

        async def read() -> list[int]:
            pipe = self._redis.pipeline(transaction=False)
            for endpoint_key in endpoint_keys:
                pipe.pttl(f"{PREFIX}hold:{endpoint_key}")
            return cast("list[int]", await pipe.execute())

        told = await self._try(read)
        return None if told is None else [max(0, left) / 1000 for left in told]

    async def learn(self, endpoint_key: str, rates: Rates, slower_s: float) -> bool:
        """Note limits an endpoint told, and go slower for a while; False if not noted."""
        keys = [f"{PREFIX}bucket:{endpoint_key}"]
        numbers = [-1 if rate is None else rate for rate in rates]
        return bool(await self._try(lambda: self._learn(keys=keys, args=[*numbers, slower_s])))

    async def present(self) -> None:
        """Say that this process lives and learn how many do."""
        keys = [_PROCESSES]
        told = await self._try(
            lambda: self._present(keys=keys, args=[self.process_id, PROCESS_GONE_S])
        )
        if told is not None:
            self.processes = int(told)

    async def close(self) -> None:
        """Say goodbye, if Redis is there to hear it."""
        await self._try(lambda: self._redis.zrem(_PROCESSES, self.process_id))
        await self._redis.aclose()

    async def _try(self, call: Callable[[], Any]) -> Any:
        """Return the answer, or None while Redis is away; says when that changes."""
        if self.away and time.monotonic() < self._look_again_at:
            return None
        try:
            answer = await call()
        except (redis.RedisError, OSError) as error:
            self._look_again_at = time.monotonic() + LOOK_AGAIN_S
            if not self.away:
                self.away = True
                get_logger(process_id=self.process_id).warning(
                    "limiter_alone", error=type(error).__name__,
                    processes=self.processes or PROCESSES_UNKNOWN,
                )  # fmt: skip
            return None
        if self.away:
            self.away = False
            get_logger(process_id=self.process_id).info("limiter_together")
        return answer
