"""The `sql` capability: what it declares, what it returns, and that a cancelled query ends."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
import pyarrow as pa
import pytest

from services.worker.capabilities.sql import capability
from shared.capabilities.contract import Columns, Context, Unit
from shared.capabilities.registry import check_capability
from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch
from shared.tables.sql import SqlFailed, SqlRefused
from tests.own_children import own_children

COLUMNS = [Column("class", "string"), Column("count", "integer")]
ENDLESS = "SELECT count(*) AS n FROM range(1000000) a, range(1000000) b, found"


@dataclass
class Rows:
    rows: list[dict[str, Any]]
    columns: Columns = field(default_factory=lambda: [column.to_json() for column in COLUMNS])

    def batches(self) -> Iterator[pa.RecordBatch]:
        for row in self.rows:
            yield rows_to_batch([row], COLUMNS)


FOUND = Rows([{"class": "email", "count": 2}, {"class": "phone", "count": 1}] * 2)


def test_it_keeps_the_contract() -> None:
    assert check_capability(capability) == []
    assert (capability.runs, capability.reads, capability.emits) == ("loop", "tables", "many")


def test_it_returns_the_rows_of_the_query() -> None:
    query = "SELECT class, sum(count) AS total FROM found GROUP BY class ORDER BY class"

    rows = asyncio.run(_run(query))

    assert rows == [{"class": "email", "total": 4}, {"class": "phone", "total": 2}]


def test_its_output_schema_is_that_of_the_query() -> None:
    schema = capability.output({"found": FOUND.columns}, {"query": "SELECT count FROM found"})

    assert schema["properties"] == {"count": {"type": ["integer", "null"]}}


def test_a_bad_query_raises_an_error_with_a_code() -> None:
    with pytest.raises(SqlRefused) as refusal:
        asyncio.run(_run("SELECT * FROM 'found.csv'"))

    assert refusal.value.code == "sql_unknown_table"


def test_it_stops_at_the_time_limit_of_the_attempt() -> None:
    with pytest.raises(SqlFailed) as failure:
        asyncio.run(_run(ENDLESS, timeout_s=1))

    assert failure.value.code == "sql_timeout"


def test_cancelling_it_ends_the_query() -> None:
    before = set(_children())  # of whatever ran in this process

    async def cancel_when_started() -> None:
        running = asyncio.create_task(_run(ENDLESS))
        while not set(_children()) - before:
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    # Returns only when the thread that waited for the query has come back.
    asyncio.run(cancel_when_started())

    assert set(_children()) <= before


async def _run(query: str, timeout_s: float = 60) -> list[dict[str, Any]]:
    context = Context(
        params={"query": query}, brief="", prompt=None, instructions=None, output={}, attempt=1,
        replica=0, timeout_s=timeout_s, idempotency_key="key",
    )  # fmt: skip
    rows: list[dict[str, Any]] = await capability.run(
        Unit(index=0, rows=[], tables={"found": FOUND}), context
    )
    return rows


def _children() -> list[psutil.Process]:
    return own_children()
