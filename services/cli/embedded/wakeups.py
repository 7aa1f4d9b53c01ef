"""Waits for signals and time without threads: the supervisor's main loop sleeps here."""

import contextlib
import select
import signal
import socket
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Wakeups:
    """Counts requests to stop; ``wait`` returns early when a signal or a child's end comes in.

    Use as a context from the main thread; the former handlers come back afterwards.
    """

    def __init__(self) -> None:
        self.stop_requests = 0

    def __enter__(self) -> "Wakeups":
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._former_fd = signal.set_wakeup_fd(self._outer.fileno(), warn_on_full_buffer=False)
        self._former = {number: signal.signal(number, self._note_stop) for number in _STOPPING}
        self._former[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_fd)
        self._inner.close()
        self._outer.close()

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self.stop_requests > 0

    def wait(self, seconds: float) -> None:
        """Sleep until a signal comes in, at most ``seconds``."""
        select.select([self._inner], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            while self._inner.recv(4096):
                pass

    def _note_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1
