"""Waits for what must become true, without a fixed sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], within: float = 10.0, every: float = 0.05) -> T:
    """Return the first true value of `condition`; fail with its last value after `within` s."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; last value: {value!r}")
        time.sleep(every)
