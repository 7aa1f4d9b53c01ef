"""What a doorbell drops into: ids wait here, each once, for the thread that does the work."""

import threading
import time


class Inbox:
    """A set of ids with a wake-up; ringing ten times is the same as ringing once."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, id_: str) -> None:
        """Add an id and wake a waiter."""
        with self._changed:
            self._ids[id_] = None
            self._changed.notify()

    def take(self, timeout_s: float) -> str | None:
        """Return the oldest id, or None after `timeout_s` seconds or when closed."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._ids and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            return self._pop() if self._ids else None

    def pause(self, seconds: float) -> None:
        """Wait, unless closed meanwhile: a failing look must not spin."""
        with self._changed:
            if not self._closed:
                self._changed.wait(seconds)

    def close(self) -> None:
        """Wake every waiter; nothing waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    def _pop(self) -> str:
        id_ = next(iter(self._ids))
        del self._ids[id_]
        return id_
