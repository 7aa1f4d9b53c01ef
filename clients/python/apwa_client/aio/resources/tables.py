"""Tables: upload, find, list, read, erase."""

import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from apwa_client.aio.saving import save
from apwa_client.bodies import Progress, with_progress
from apwa_client.files import format_of
from apwa_client.inputs import Input, prepared, table_body
from apwa_client.objects import TableObject
from apwa_client.rows import Row

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient


class AsyncTables:
    """`client.tables`."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def upload(
        self,
        data: Any,
        *,
        name: str | None = None,
        format: str | None = None,
        sheet: str | None = None,
        key: str | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
    ) -> TableObject:
        """Store a file or folder (Path), or rows, and return the table.

        Files are streamed, rows go through a temporary file; neither is held in memory.
        `progress` is called with the bytes sent so far and in all. `key`: a unique column;
        `sheet`: of a workbook.
        """
        with table_body(data) as (body, known_format, known_name):
            made: TableObject = await self._client.request(
                "create_table",
                name=name or known_name,
                format=format or known_format,
                sheet=sheet,
                key=key,
                body=with_progress(body, progress),
                idempotency_key=idempotency_key,
            )
        return made

    async def get(self, table_id: str) -> TableObject:
        """Return a table with its statistics and a sample."""
        found: TableObject = await self._client.request("get_table", table_id=table_id)
        return found

    async def list(self, **filters: Any) -> AsyncIterator[TableObject]:
        """Yield input tables, newest first."""
        async for table in self._client.pages("list_tables", **filters):
            yield table

    async def rows(self, table_id: str, *, limit: int = 500) -> AsyncIterator[Row]:
        """Yield the rows of a table; `limit` is the size of a page."""
        pages = self._client.pages(
            "get_rows", table_id=table_id, limit=limit, accept="application/json"
        )
        async for row in pages:
            yield row

    async def download(
        self,
        table_id: str,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
    ) -> int:
        """Write a table to a file and return its bytes."""
        wanted = format_of(path, format)
        return await save(self._client, path, "get_rows", table_id=table_id, format=wanted)

    async def delete(self, table_id: str) -> None:
        """Erase a table; Conflict while a job that is not final uses it."""
        await self._client.request("delete_table", table_id=table_id)

    async def as_inputs(self, inputs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return inputs in the API's own form; files and many rows are stored as tables first."""
        with prepared(inputs) as ready:
            bodies = {part.name: part.body for part in ready.parts} | ready.folders
            for name, body in bodies.items():
                given = inputs[name]
                asked = {what: ready.inputs[name].pop(what, None) for what in ("format", "sheet")}
                key = given.key if isinstance(given, Input) else None
                table = await self._client.request(
                    "create_table", name=name, key=key, body=body, **asked
                )
                ready.inputs[name]["table"] = table["id"]
            return ready.inputs
