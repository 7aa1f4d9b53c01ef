"""Rows of results as a stream of lines, taken up again where the order is sure to be the same."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from apwa_client.aio.ways import sleep
from apwa_client.errors import ApiUnreachable
from apwa_client.rows import Row

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient


async def rows_of_results(
    client: "AsyncClient", job_id: str, wanted: Mapping[str, Any], *, steady: bool
) -> AsyncIterator[Row]:
    """Yield rows. `steady`: the job is final, so a second reading has the same order."""
    given = failed = 0
    while True:
        try:
            async for row in _after(client, job_id, wanted, given):
                given, failed = given + 1, 0
                yield row
            return
        except ApiUnreachable as cut:
            failed += 1
            pause_s = client.retries.pause_s(cut, failed, repeatable=steady or not given)
            if pause_s is None:
                raise
        await sleep(pause_s)


async def _after(
    client: "AsyncClient", job_id: str, wanted: Mapping[str, Any], skip: int
) -> AsyncIterator[Row]:
    async with client.stream("get_results", job_id=job_id, format="jsonl", **wanted) as response:
        async for line in _lines(response.aiter_bytes()):
            if skip:
                skip -= 1
            else:
                row: Row = json.loads(line)
                yield row


async def _lines(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut at line feeds only: other line ends of Unicode are data."""
    rest: list[bytes] = []
    async for block in blocks:
        first, *others = block.split(b"\n")
        rest.append(first)
        for line in others:
            whole = b"".join(rest)
            rest = [line]
            if whole:
                yield whole
    if last := b"".join(rest):
        yield last
