"""Breakers: an endpoint that is down is left alone, a job that cannot succeed is stopped. Pure."""

from collections import Counter, deque
from collections.abc import Sequence

from shared.domain.model_call import CallFailure, Reply

WINDOW = 20
TRIPPING = 10  # half of the window
FIRST_REST_S = 5.0
LONGEST_REST_S = 60.0
PERMANENT_ANSWERS = 10
ALIKE_OF_FIRST = 18
FIRST_UNITS = 20

_OF_A_DOWN_ENDPOINT = frozenset({"overloaded", "deadline"})


class EndpointBreaker:
    """Opens when half of an endpoint's last 20 calls found it down; then lets one call try.

    Times are seconds of a monotonic clock, given by the caller. One per process and endpoint.
    """

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._open_until: float | None = None
        self._rest_s = FIRST_REST_S
        self._trying_until = 0.0

    @property
    def is_open(self) -> bool:
        """True from tripping until a call succeeded."""
        return self._open_until is not None

    def rest_s(self, now: float) -> float:
        """Return how long it leaves the endpoint alone from now on; asking changes nothing."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def wait_s(self, now: float) -> float:
        """Return how long a call must wait; 0 lets the caller through, as the one trial if open."""
        if self._open_until is None:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        if now < self._trying_until:
            return self._trying_until - now
        self._trying_until = now + self._rest_s  # a trial that never reports frees its place
        return 0.0

    def note(self, came: Reply | CallFailure, now: float) -> None:
        """Take the end of a call into account."""
        down = isinstance(came, CallFailure) and came.kind in _OF_A_DOWN_ENDPOINT
        if self._open_until is not None:
            if down and now >= self._open_until:  # late answers of earlier calls say nothing new
                self._rest(now)
            elif not down:
                self._close()
            return
        self._last.append(down)
        if len(self._last) == WINDOW and sum(self._last) >= TRIPPING:
            self._rest(now)

    def _rest(self, now: float) -> None:
        self._open_until = now + self._rest_s
        self._trying_until = 0.0
        self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
        self._last.clear()

    def _close(self) -> None:
        self._open_until = None
        self._rest_s = FIRST_REST_S
        self._last.clear()


def job_breaker_trips(
    *, succeeded: int, permanent: int, first_codes: Sequence[str], turned_away: int = 0
) -> bool:
    """Return True when a job must pause: it cannot come to anything, or not any more.

    `permanent` counts its calls answered permanently so far, `first_codes` are the codes of its
    first ended units (at most 20 are looked at). `turned_away` counts those answers since its
    last success that are no unit's fault: a key that was withdrawn, a model that is gone.
    """
    if turned_away >= PERMANENT_ANSWERS:
        return True
    if succeeded:
        return False
    if permanent >= PERMANENT_ANSWERS:
        return True
    looked_at = Counter(first_codes[:FIRST_UNITS])
    return bool(looked_at) and looked_at.most_common(1)[0][1] >= ALIKE_OF_FIRST
