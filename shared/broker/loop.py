"""A thread that works when a doorbell rings and, at the latest, every few seconds."""

import threading
import time
from collections.abc import Callable

from shared.broker.inbox import Inbox
from shared.broker.tried import log_failed


def run_when_rung(
    name: str,
    inbox: Inbox,
    poll_s: float,
    rung: Callable[[str], None],
    idle: Callable[[], None],
) -> threading.Thread:
    """Start a thread: `rung(id)` for every id in the inbox, `idle()` at least every `poll_s`.

    Whatever they raise is logged and the thread goes on: the rows still say what is due.
    """

    def work() -> None:
        next_look = 0.0
        while not inbox.closed:
            id_ = inbox.take(max(0.0, next_look - time.monotonic()))
            try:
                if id_ is not None:
                    rung(id_)
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + poll_s
                    idle()
            except Exception as error:  # noqa: BLE001 - the last line of a service's thread
                log_failed(name, error, id_)
                inbox.pause(min(poll_s, 1.0))

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
