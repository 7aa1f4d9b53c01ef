"""What waits, the asynchronous way; the one module here that has its own twin in `blocking`."""

from collections.abc import AsyncIterator, Iterator

import anyio

from apwa_client.bodies import Body


async def sleep(seconds: float) -> None:
    """Wait without holding the event loop."""
    await anyio.sleep(seconds)


async def blocks_of(body: Body) -> AsyncIterator[bytes]:
    """Yield a body's blocks; files are read beside the event loop."""
    blocks = iter(body.open())
    while (block := await anyio.to_thread.run_sync(_next, blocks)) is not None:
        yield block


def _next(blocks: Iterator[bytes]) -> bytes | None:
    return next(blocks, None)
