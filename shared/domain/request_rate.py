"""How many requests came in the last minute: counted here, and told by the others. Pure.

A minute slides over the minutes of the clock: of the one before, the part that is still inside it
counts, as if its requests had come evenly.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Unshared:
    """Requests of one minute that only this process knows of so far."""

    minute: int
    scope: str
    count: int


@dataclass(slots=True)
class _Count:
    minute: int
    before: int = 0  # all of the minute before
    mine: int = 0
    shared: int = 0  # of mine, what the others know of
    others: int = 0

    @property
    def all(self) -> int:
        return self.mine + self.others


class RequestCounts:
    """Counts by scope (a key, a project). Not locked; times are seconds since the epoch."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def take(self, limits: Mapping[str, int], now: float) -> float | None:
        """Count one request for every scope; or return the seconds until it may come again.

        A limit of 0 is none. What is refused is not counted.
        """
        waits = [self._wait_s(scope, limit, now) for scope, limit in limits.items()]
        wait_s = max(waits, default=0.0)
        if wait_s > 0:
            return wait_s
        for scope, limit in limits.items():
            if limit:
                self._count(scope, now).mine += 1
        return None

    def unshared(self, now: float) -> list[Unshared]:
        """Return what the others do not know of yet, and forget who is gone."""
        minute = int(now // MINUTE_S)
        for scope in [scope for scope, one in self._counts.items() if one.minute < minute - 1]:
            del self._counts[scope]
        return [
            Unshared(one.minute, scope, one.mine - one.shared)
            for scope, one in self._counts.items()
            if one.mine > one.shared
        ]

    def share(self, told: Unshared, total: int) -> None:
        """Learn how many there are in the whole fleet, now that it knows of `told`."""
        one = self._counts.get(told.scope)
        if one is not None and one.minute == told.minute:
            one.shared += told.count
            one.others = max(0, total - one.shared)

    def _wait_s(self, scope: str, limit: int, now: float) -> float:
        if not limit:
            return 0.0
        one = self._count(scope, now)
        passed_s = now % MINUTE_S
        if one.all + 1 <= limit:
            if one.before * (1 - passed_s / MINUTE_S) + one.all + 1 <= limit:
                return 0.0
            return MINUTE_S * (1 - (limit - one.all - 1) / one.before) - passed_s
        return MINUTE_S - passed_s + MINUTE_S * max(0.0, 1 - (limit - 1) / one.all)

    def _count(self, scope: str, now: float) -> _Count:
        minute = int(now // MINUTE_S)
        one = self._counts.get(scope)
        if one is None:
            one = self._counts[scope] = _Count(minute)
        elif one.minute < minute:
            before = one.all if one.minute == minute - 1 else 0
            one = self._counts[scope] = _Count(minute, before)
        return one
