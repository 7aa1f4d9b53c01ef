"""When a request is sent again, and after how long: a pure rule."""

import random
from dataclasses import dataclass

from apwa_client.errors import ApiError, ApiUnreachable

_AGAIN = (429, 502, 503, 504)
_IN_FLIGHT = "idempotency_in_flight"  # our own first try is still being answered


@dataclass(frozen=True, slots=True)
class Retries:
    """`attempts` in all; pauses double from `first_s` to `longest_s`, with jitter.

    A `Retry-After` longer than `patience_s` is not waited for: the error is raised at once.
    """

    attempts: int = 8
    first_s: float = 0.25
    longest_s: float = 8.0
    patience_s: float = 60.0

    def pause_s(
        self, failure: ApiError | ApiUnreachable, tried: int, *, repeatable: bool
    ) -> float | None:
        """Return how long to wait before the next try; None: raise the failure.

        `tried` counts from 1. `repeatable`: sent twice, the request has the effect of one.
        """
        if tried >= self.attempts or not _may_pass(failure, repeatable=repeatable):
            return None
        asked = failure.retry_after_s if isinstance(failure, ApiError) else None
        if asked is not None and asked > self.patience_s:
            return None
        own = min(self.first_s * 2.0 ** (tried - 1), self.longest_s)
        jittered = own * random.uniform(0.5, 1.0)  # noqa: S311 - it spreads load, hides nothing
        return max(jittered, asked or 0.0)


NEVER = Retries(attempts=1)


def _may_pass(failure: ApiError | ApiUnreachable, *, repeatable: bool) -> bool:
    if isinstance(failure, ApiUnreachable):
        return repeatable or not failure.sent
    if failure.status == 409:
        return failure.code == _IN_FLIGHT
    if failure.status in (502, 504):  # a gateway cannot tell whether it arrived
        return repeatable
    return failure.status in _AGAIN
