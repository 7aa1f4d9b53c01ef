"""Records of stream and hybrid jobs: append, end, look at one."""

import uuid
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from apwa_client.aio.ways import sleep
from apwa_client.bodies import bytes_body
from apwa_client.errors import RateLimited
from apwa_client.objects import AppendedObject, JobObject, RecordObject, StreamObject
from apwa_client.rows import in_blocks, line_of, rows_of

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient

AT_ONCE = 500
_BUSY_S = 2.0


class AsyncRecords:
    """`client.records`."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def append(
        self, job_id: str, rows: Any, *, batch: int = AT_ONCE, wait: bool = True
    ) -> AppendedObject:
        """Append records from anything with rows, an endless iterator too, `batch` at a time.

        Fewer at a time where they are large. While the job is too far behind, wait; with
        `wait=False` RateLimited is raised. A record sent twice counts once. `rejected` tells the
        place of each among all, from 0.
        """
        return await self.append_lines(job_id, map(line_of, rows_of(rows)), batch=batch, wait=wait)

    async def append_lines(
        self, job_id: str, lines: Iterable[bytes], *, batch: int = AT_ONCE, wait: bool = True
    ) -> AppendedObject:
        """Do the same with lines of JSON, each with its line end; the API says which are none."""
        total: AppendedObject = {
            "accepted": 0, "duplicates": 0, "rejected": [], "rejected_total": 0,
        }  # fmt: skip
        sent = 0
        for block in in_blocks(lines, batch):
            _add(total, await self._send(job_id, block, wait=wait), sent)
            sent += len(block)
        return total

    async def end(self, job_id: str) -> JobObject:
        """Say that no more records come; harmless when repeated."""
        job: JobObject = await self._client.request("end_records", job_id=job_id)
        return job

    async def get(self, job_id: str, key: str, *, stage: str | None = None) -> RecordObject:
        """Return one record by its key, with its outcome and output."""
        found: RecordObject = await self._client.request(
            "get_record", job_id=job_id, key=key, stage=stage
        )
        return found

    async def stream(self, job_id: str) -> StreamObject:
        """Return how the stream of a job stands."""
        found: StreamObject = await self._client.request("get_stream", job_id=job_id)
        return found

    async def _send(self, job_id: str, block: list[bytes], *, wait: bool) -> AppendedObject:
        body, key = bytes_body(b"".join(block), "application/x-ndjson"), str(uuid.uuid4())
        while True:
            try:
                told: AppendedObject = await self._client.request(
                    "append_records", job_id=job_id, body=body, idempotency_key=key
                )
            except RateLimited as behind:
                if not wait:
                    raise
                pause_s = _BUSY_S if behind.retry_after_s is None else behind.retry_after_s
            else:
                return told
            await sleep(pause_s)


def _add(total: AppendedObject, told: AppendedObject, before: int) -> None:
    total["accepted"] += told["accepted"]
    total["duplicates"] += told["duplicates"]
    total["rejected_total"] += told["rejected_total"]
    total["rejected"] += list(_placed(told, before))


def _placed(told: AppendedObject, before: int) -> Iterator[dict[str, Any]]:
    for item in told["rejected"]:
        rest = {name: value for name, value in item.items() if name != "line"}
        yield {"index": before + item["line"] - 1, **rest}
