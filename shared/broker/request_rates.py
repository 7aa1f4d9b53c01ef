"""Counts requests for the whole fleet: answers from memory, tells Redis a moment later.

No request ever waits for Redis. Processes tell each other every `SHARE_S` what came; so the fleet
may be over a limit by what comes in that time. While Redis is away each counts for itself.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.domain.request_rate import RequestCounts, Unshared
from shared.log import get_logger

SHARE_S = 0.25
AWAY_S = 2.0  # while Redis is away it is tried this often
ANSWER_S = 0.5
KEPT_S = 150
_KEY = "apwa:requests:"


class RequestRates:
    """The requests of this process and, as last heard, of the others; any thread may ask."""

    def __init__(self, redis_url: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts = RequestCounts()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._away = False
        self._thread: threading.Thread | None = None
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 0), decode_responses=True,
        )  # fmt: skip

    def take(self, limits: Mapping[str, int]) -> int | None:
        """Count a request for each scope; or return in how many seconds it may come again."""
        limited = {scope: limit for scope, limit in limits.items() if limit}
        if not limited:
            return None
        with self._lock:
            wait_s = self._counts.take(limited, self._clock())
            if self._thread is None:  # here, since a server forks before the first request
                self._thread = threading.Thread(target=self._run, name="rates", daemon=True)
                self._thread.start()
        return None if wait_s is None else max(1, math.ceil(wait_s))

    def share(self) -> bool:
        """Tell what came and hear how many there are; False while Redis is away."""
        with self._lock:
            untold = self._counts.unshared(self._clock())
        try:
            totals = self._tell(untold) if untold else []
        except (redis.RedisError, OSError) as error:
            self._note(away=True, error=type(error).__name__)
            return False
        with self._lock:
            for told, total in zip(untold, totals, strict=True):
                self._counts.share(told, total)
        if untold:
            self._note(away=False)
        return True

    def close(self) -> None:
        """End the thread; what was not told is forgotten."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(ANSWER_S)
        self._redis.close()

    def _run(self) -> None:
        pause_s = SHARE_S
        while not self._ended.wait(pause_s):
            pause_s = SHARE_S if self.share() else AWAY_S

    def _tell(self, untold: list[Unshared]) -> list[int]:
        pipe = self._redis.pipeline(transaction=False)
        for one in untold:
            pipe.hincrby(f"{_KEY}{one.minute}", one.scope, one.count)
        for minute in sorted({one.minute for one in untold}):
            pipe.expire(f"{_KEY}{minute}", KEPT_S)
        return [int(total) for total in pipe.execute()[: len(untold)]]

    def _note(self, *, away: bool, **told: str) -> None:
        if away != self._away:
            self._away = away
            get_logger().info("rates_alone" if away else "rates_together", **told)
