"""How many answers this process keeps open for as long as a job runs, and who ends them."""

import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from services.api.problems import Problem
from shared.actions.quotas import too_many_open_streams
from shared.domain.quota import is_over

RETRY_AFTER_S = 10
UNANSWERED_MS = 30_000  # what is sent to a host that vanished counts as lost after this
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it, macOS does not
_STEP_S = 0.5  # after which a stop is seen at the latest


class OpenStreams:
    """A number of places; `stopping` says that the process ends (set by the server)."""

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)
        self._taken: Counter[str] = Counter()  # by project
        self._lock = threading.Lock()
        self.stopping: Callable[[], bool] = lambda: False

    def take(self, project_id: str = "", most: int = 0) -> "Place":
        """Return a place, to be left when the stream ends; 429 when there is none.

        `most` is how many of them the project may have (0: any number).
        """
        if not self._places.acquire(blocking=False):
            raise Problem(
                429,
                "too_many_open_streams",
                "This process keeps as many streams open as it may; try again, or read pages.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        with self._lock:
            over = is_over(self._taken[project_id] + 1, most)
            self._taken[project_id] += not over
        if over:
            self._places.release()
            raise too_many_open_streams(most)
        return Place(lambda: self._give_back(project_id))

    def _give_back(self, project_id: str) -> None:
        with self._lock:
            self._taken[project_id] -= 1
            if not self._taken[project_id]:
                del self._taken[project_id]
        self._places.release()


class Place:
    """One of the places; left once, however often it is said."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back, self._lock, self._left = give_back, threading.Lock(), False

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            left, self._left = self._left, True
        if not left:
            self._give_back()

    def held_while(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the pieces and leave after the last one; who never begins has to leave itself."""
        try:
            yield from pieces
        finally:
            self.leave()


class Listener:
    """The client at the other end, as far as the server lets us see it."""

    def __init__(self, environ: dict[str, Any]) -> None:
        found = environ.get("gunicorn.socket")
        self._poll: select.poll | None = None
        if isinstance(found, socket.socket):
            self._poll = select.poll()
            self._poll.register(found.fileno(), _GONE)
            if _USER_TIMEOUT and found.family in (socket.AF_INET, socket.AF_INET6):
                found.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, UNANSWERED_MS)

    def gone_within(self, seconds: float) -> bool:
        """Wait; True as soon as the client has hung up."""
        if self._poll is None:
            threading.Event().wait(seconds)
            return False
        return bool(self._poll.poll(seconds * 1_000))


def waits(listener: Listener, streams: OpenStreams, seconds: float) -> bool:
    """Wait in steps; False as soon as the client is gone or the process ends."""
    left = seconds
    while left > 0:
        if streams.stopping() or listener.gone_within(min(left, _STEP_S)):
            return False
        left -= _STEP_S
    return not streams.stopping()
