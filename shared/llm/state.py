"""How endpoints are right now, as the fleet's processes told Redis; None where it is away."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.llm.limiter_store import PREFIX, RESTING

ANSWER_S = 0.3


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How long a limit holds an endpoint, and how long some process leaves it alone, in ms."""

    held_ms: int | None
    resting_ms: int | None

    @property
    def status(self) -> Literal["available", "held", "resting", "unknown"]:
        """Return what matters most of it."""
        if self.held_ms is None or self.resting_ms is None:
            return "unknown"
        if self.resting_ms:
            return "resting"
        return "held" if self.held_ms else "available"


UNKNOWN = EndpointState(None, None)


class EndpointStates:
    """Reads what limiters and breakers wrote; quick or not at all."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        )  # fmt: skip

    def of(self, keys: Sequence[str]) -> list[EndpointState]:
        """Return the state of each endpoint, by the key the limiter has for it."""
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.pttl(f"{PREFIX}hold:{key}")
            pipe.pttl(f"{RESTING}{key}")
        try:
            told = pipe.execute()
        except (redis.RedisError, OSError):
            return [UNKNOWN for _ in keys]
        left = [max(0, int(number)) for number in told]
        return [EndpointState(*left[at : at + 2]) for at in range(0, len(left), 2)]

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()
