"""A key that tells when Redis came back empty."""

import redis

KEY = "apwa:canary"


class Canary:
    """Sets a key that is never read; having to set it again means Redis forgot everything."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.Redis.from_url(
            redis_url, socket_timeout=3, socket_connect_timeout=3, health_check_interval=10
        )

    def redis_forgot(self) -> bool:
        """Return True when the key was missing; False also while Redis is away."""
        try:
            return bool(self._client.set(KEY, "1", nx=True))
        except (redis.RedisError, OSError):
            return False

    def round_trip(self) -> bool:
        """Return True when Redis answers in time."""
        try:
            return bool(self._client.ping())
        except (redis.RedisError, OSError):
            return False
