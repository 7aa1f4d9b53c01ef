"""Ends a process whose threads or event loop stand still, as nobody else would notice."""

import asyncio
import faulthandler

LEAST_S = 60.0  # a heavy collection or a swapped machine is no reason to end


class Watchdog:
    """Writes all stacks to stderr and ends the process when not patted for `limit_s`.

    It is a thread of C: a held interpreter lock does not stop it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, lease_s: float) -> None:
        self._loop, self._limit_s, self._ending = loop, max(LEAST_S, 3 * lease_s), False

    def pat(self) -> None:
        """Say that the calling thread lives; the event loop must answer for itself."""
        self._loop.call_soon_threadsafe(self._arm)

    def end_within(self, limit_s: float) -> None:
        """The process stops: pats count no longer, after `limit_s` it is ended."""
        self._ending = True
        faulthandler.dump_traceback_later(limit_s, exit=True)

    def _arm(self) -> None:
        if not self._ending:
            faulthandler.dump_traceback_later(self._limit_s, exit=True)
