"""Leaves an endpoint that is down alone: the breakers of one planner process, for all its jobs."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable

from shared.domain.model_call import CallFailure, Reply
from shared.llm.breaker import EndpointBreaker
from shared.llm.endpoints import Endpoint


class EndpointBreakers:
    """One breaker for each address and model; threads that plan different jobs share them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[str, EndpointBreaker] = defaultdict(EndpointBreaker)

    def wait_s(self, endpoint: Endpoint) -> float:
        """Return how many seconds a call must wait; 0 lets it through, maybe as the one trial."""
        with self._lock:
            return self._breakers[_key(endpoint)].wait_s(self._clock())

    def note(self, endpoint: Endpoint, came: Reply | CallFailure) -> None:
        """Take the end of a call into account."""
        with self._lock:
            self._breakers[_key(endpoint)].note(came, self._clock())


def _key(endpoint: Endpoint) -> str:
    return f"{endpoint.address_hash}/{endpoint.model}"
