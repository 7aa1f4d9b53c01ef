"""What waits, the blocking way; written by hand, unlike the rest of this folder."""

import time
from collections.abc import Iterator

from apwa_client.bodies import Body


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def blocks_of(body: Body) -> Iterator[bytes]:
    """Yield a body's blocks."""
    yield from body.open()
