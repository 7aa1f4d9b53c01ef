"""Rows of results as a stream of lines, taken up again where the order is sure to be the same."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from apwa_client.blocking.ways import sleep
from apwa_client.errors import ApiUnreachable
from apwa_client.rows import Row

if TYPE_CHECKING:
    from apwa_client.blocking.client import Client


def rows_of_results(
    client: "Client", job_id: str, wanted: Mapping[str, Any], *, steady: bool
) -> Iterator[Row]:
    """Yield rows. `steady`: the job is final, so a second reading has the same order."""
    given = failed = 0
    while True:
        try:
            for row in _after(client, job_id, wanted, given):
                given, failed = given + 1, 0
                yield row
            return
        except ApiUnreachable as cut:
            failed += 1
            pause_s = client.retries.pause_s(cut, failed, repeatable=steady or not given)
            if pause_s is None:
                raise
        sleep(pause_s)


def _after(client: "Client", job_id: str, wanted: Mapping[str, Any], skip: int) -> Iterator[Row]:
    with client.stream("get_results", job_id=job_id, format="jsonl", **wanted) as response:
        for line in _lines(response.iter_bytes()):
            if skip:
                skip -= 1
            else:
                row: Row = json.loads(line)
                yield row


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut at line feeds only: other line ends of Unicode are data."""
    rest: list[bytes] = []
    for block in blocks:
        first, *others = block.split(b"\n")
        rest.append(first)
        for line in others:
            whole = b"".join(rest)
            rest = [line]
            if whole:
                yield whole
    if last := b"".join(rest):
        yield last
