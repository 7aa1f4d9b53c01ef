"""The fake endpoint's rate limits: one bucket per measure, told in headers as OpenAI does."""

import time
from dataclasses import dataclass

from tests.fake_llm.settings import Behaviour


@dataclass
class _Bucket:
    per_minute: int
    level: float
    at: float

    def fill(self, now: float) -> None:
        self.level = min(self.per_minute, self.level + (now - self.at) * self.per_minute / 60)
        self.at = now

    def wait_s(self, amount: float) -> float:
        return max(0.0, (amount - self.level) * 60 / self.per_minute)

    def full_in_s(self) -> float:
        return (self.per_minute - self.level) * 60 / self.per_minute


class Limits:
    """Buckets of requests and tokens, holding at most a minute's worth."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def take(self, behaviour: Behaviour, tokens: int) -> tuple[float, dict[str, str]]:
        """Take one request; return the seconds to wait (0: taken) and the headers to send."""
        now = time.monotonic()
        asked: dict[str, float] = {"requests": 1, "tokens": tokens}
        limits = {
            "requests": behaviour.requests_per_minute,
            "tokens": behaviour.tokens_per_minute,
        }
        used: dict[str, _Bucket] = {}
        for measure, per_minute in limits.items():
            if per_minute:
                used[measure] = self._bucket(measure, per_minute, now)
        wait = max((used[name].wait_s(asked[name]) for name in used), default=0.0)
        if wait == 0:
            for name, bucket in used.items():
                bucket.level -= asked[name]
        return wait, _headers(used)

    def _bucket(self, measure: str, per_minute: int, now: float) -> _Bucket:
        bucket = self._buckets.get(measure)
        if bucket is None or bucket.per_minute != per_minute:
            bucket = self._buckets[measure] = _Bucket(per_minute, per_minute, now)
        bucket.fill(now)
        return bucket


def _headers(buckets: dict[str, _Bucket]) -> dict[str, str]:
    headers = {}
    for measure, bucket in buckets.items():
        headers[f"x-ratelimit-limit-{measure}"] = str(bucket.per_minute)
        headers[f"x-ratelimit-remaining-{measure}"] = str(int(bucket.level))
        headers[f"x-ratelimit-reset-{measure}"] = f"{bucket.full_in_s():.3f}s"
    return headers
