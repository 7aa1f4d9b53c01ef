"""A service that only consumes, over a transport that fails now and then as kombu does.

`python -m tests.faults.stumbling_consumer REDIS_URL FILE` appends what it gets to FILE.
"""

import sys
from pathlib import Path
from typing import Any

from shared.broker import transport
from shared.broker.app import consume, make_app


class Stumbling(transport.Transport):
    """Raises what Celery calls unrecoverable after the first two messages."""

    stumbles = 2

    def _deliver(self, message: Any, queue: Any) -> None:
        super()._deliver(message, queue)
        if Stumbling.stumbles:
            Stumbling.stumbles -= 1
            raise AttributeError("'NoneType' object has no attribute 'hostname'")


def main(redis_url: str, file: str) -> None:
    app = make_app("tests", redis_url)
    app.conf.broker_transport = "tests.faults.stumbling_consumer:Stumbling"

    @app.task(name="told")
    def told(number: int) -> None:
        with Path(file).open("a", encoding="utf-8") as journal:
            journal.write(f"{number}\n")

    consume(app, ["stumbling"], "stumbling@tests")


if __name__ == "__main__":
    from tests.faults import stumbling_consumer  # the module Celery finds the transport in

    stumbling_consumer.main(*sys.argv[1:])
