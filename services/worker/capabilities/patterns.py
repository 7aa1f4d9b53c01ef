"""Runs a user's regular expressions within a time limit, so that none can hang a worker."""

import time

import regex

LONGEST_S = 5.0  # for all patterns of one unit together; honest patterns take milliseconds


class PatternTooSlowError(Exception):
    """A pattern took more time on this text than a unit may spend on patterns."""

    code = "pattern_too_slow"
    transient = False


class PatternClock:
    """The time the patterns of one unit may still take, in seconds of wall clock."""

    def __init__(self, timeout_s: float) -> None:
        self._ends = time.monotonic() + min(timeout_s, LONGEST_S)

    def search(self, pattern: regex.Pattern[str], text: str) -> regex.Match[str] | None:
        """Return the first match in `text`; raise `PatternTooSlowError` when time is up."""
        try:
            return pattern.search(text, timeout=self._left(pattern))
        except TimeoutError:
            raise PatternTooSlowError(_told(pattern)) from None

    def matches(self, pattern: regex.Pattern[str], line: str) -> bool:
        """Return whether `line` begins with a match; raise like `search`."""
        try:
            return pattern.match(line, timeout=self._left(pattern)) is not None
        except TimeoutError:
            raise PatternTooSlowError(_told(pattern)) from None

    def _left(self, pattern: regex.Pattern[str]) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise PatternTooSlowError(_told(pattern))
        return left


def compiled(pattern: str) -> regex.Pattern[str]:
    """Return the pattern ready to run; ``^`` and ``$`` mean line ends."""
    return regex.compile(pattern, regex.MULTILINE)


def _told(pattern: regex.Pattern[str]) -> str:
    return f"pattern {pattern.pattern!r} takes too long on this text; make it simpler"
