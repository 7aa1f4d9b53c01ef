"""Which idempotency keys this process answers at this moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class InFlight:
    """A set of (project, key); a crash forgets it, as it should."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, project_id: str, key: str) -> Iterator[bool]:
        """Hold a key while the block runs; yields False when another request holds it."""
        entry = (project_id, key)
        with self._lock:
            free = entry not in self._held
            self._held.add(entry)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._held.discard(entry)
