"""Turns an error in a service's thread into a line of its log, so that the thread goes on."""

from collections.abc import Callable
from typing import TypeVar

from shared.log import get_logger

T = TypeVar("T")


def tried(thread: str, work: Callable[[], T], id_: str | None = None) -> T | None:
    """Return what `work` returns, None where it raised: whatever is next is not kept from running.

    The rows still say what was due, so the next look tries it again.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the last line of one step of a service's thread
        log_failed(thread, error, id_)
        return None


def log_failed(thread: str, error: Exception, id_: str | None = None) -> None:
    """Write the error with its trace; called while it is handled."""
    get_logger().error(
        "work_failed", thread=thread, id=id_, error=type(error).__name__,
        detail=str(error)[:500], exc_info=True,
    )  # fmt: skip
