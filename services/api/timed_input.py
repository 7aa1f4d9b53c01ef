"""Ends request bodies that come too slowly, however they are read."""

import time
from typing import Any, Protocol

from flask import Flask, request

from services.api.problems import Problem

PATIENCE_S = 30.0
SLOWEST_BYTES_PER_S = 10_000


class _Input(Protocol):
    def read(self, size: int = -1) -> bytes: ...

    def readline(self, size: int = -1) -> bytes: ...


class TimedInput:
    """A WSGI input stream that allows 30 s plus a second for every 10 kB received."""

    def __init__(self, stream: _Input) -> None:
        self._stream, self._started, self._received = stream, time.monotonic(), 0

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; raises the 408 when the client is too slow."""
        return self._timed(self._stream.read, size)

    def readline(self, size: int = -1) -> bytes:
        """Return one line; raises the 408 when the client is too slow."""
        return self._timed(self._stream.readline, size)

    def _timed(self, read: Any, size: int) -> bytes:
        try:
            piece: bytes = read(size)
        except (TimeoutError, BlockingIOError) as error:  # the socket's receive timeout passed
            raise _too_slow() from error
        self._received += len(piece)
        allowed = PATIENCE_S + self._received / SLOWEST_BYTES_PER_S
        if time.monotonic() - self._started > allowed:
            raise _too_slow()
        return piece


def install(app: Flask) -> None:
    """Put a time limit on the body of every request."""

    @app.before_request
    def _limit() -> None:
        request.environ["wsgi.input"] = TimedInput(request.environ["wsgi.input"])


def _too_slow() -> Problem:
    return Problem(408, "timeout", "The body came too slowly.", headers={"Connection": "close"})
