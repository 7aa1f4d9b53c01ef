"""The child processes of a test, without what the session or Python itself started."""

import psutil

_OF_THE_SESSION = ("postgres", "valkey", "services.", "resource_tracker")


def own_children() -> list[psutil.Process]:
    """Return this process's children that are neither a store nor a service."""
    return [child for child in psutil.Process().children() if not _of_the_session(child)]


def _of_the_session(child: psutil.Process) -> bool:
    try:
        words = " ".join(child.cmdline())
    except psutil.Error:
        return False  # it ended while we looked; whoever counts will look again or fail
    return any(name in words for name in _OF_THE_SESSION)
