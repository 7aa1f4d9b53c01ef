"""Tells when leases that ran out mean lost workers, and when they mean that Postgres was away."""

import time
from collections.abc import Callable

from shared.log import get_logger


class AfterOutage:
    """Gives workers a moment after a time in which nobody could extend a lease.

    They live, and hold results that are paid for: taking their shards would buy them again.
    """

    def __init__(
        self, lease_s: float, heartbeat_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._away_s, self._moment_s = lease_s - 2 * heartbeat_s, 2 * heartbeat_s + 1.0
        self._answered_at, self._over_at = clock(), 0.0
        self._waited = self._failed = False
        self.is_over = True

    def note_failure(self) -> None:
        """Note that nothing could be written (a full disk), so no lease either."""
        self._failed = True

    def note_answer(self) -> bool:
        """Note that Postgres answers; return whether leases that ran out mean lost workers.

        One moment for each gap: a database that is always slow must not make lost work wait.
        """
        now = self._clock()
        gap_s, self._answered_at = now - self._answered_at, now
        if self._failed or (gap_s > self._away_s and not self._waited):
            self._over_at, self._waited, self._failed = now + self._moment_s, True, False
            get_logger().warning("database_was_away", for_s=round(gap_s, 1))
        self.is_over = now >= self._over_at
        if self.is_over and gap_s <= self._away_s:
            self._waited = False
        return self.is_over
