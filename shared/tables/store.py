"""Data tables in Postgres: written chunk by chunk, read by row range, never held whole."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from shared.database import tables
from shared.database.engine import Connection, Engine, retrying
from shared.database.tables import Chunk, TableRecord
from shared.domain.columns import Column
from shared.tables.arrow import batch_to_rows, decode_chunk, encode_chunk, schema_of

# The pooled allocators keep freed pages; a long-lived service should give them back.
pa.set_memory_pool(pa.system_memory_pool())

UNIT_COLUMN = "_unit"


class TableWriter:
    """Writes the chunks of one `loading` table, each in a short transaction of its own.

    Written again with the same rows it writes the same chunks, so a killed writer starts over.
    """

    def __init__(
        self, engine: Engine, table_id: str, *, chunk_bytes: int, first_no: int = 0,
        first_row: int = 0,
    ) -> None:  # fmt: skip
        self._engine, self._table_id, self._chunk_bytes = engine, table_id, chunk_bytes
        self._no, self._row = first_no, first_row
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._last_unit: int | None = None
        self._digest = hashlib.sha256()
        self.memory_bytes = 0

    @property
    def row_count(self) -> int:
        """Rows taken so far, those before `first_row` included."""
        return self._row + sum(int(batch.num_rows) for batch in self._waiting)

    def add(self, batch: pa.RecordBatch, last_unit: int | None = None) -> None:
        """Take rows; `last_unit` is the unit their last row came from (stage outputs)."""
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        self.memory_bytes += batch.nbytes
        self._last_unit = last_unit
        if self._waiting_bytes >= self._chunk_bytes:
            self._flush()

    def finish(self) -> str:
        """Write what waits; return the sha256 over all chunks written."""
        if self._waiting:
            self._flush()
        return self._digest.hexdigest()

    def _flush(self) -> None:
        merged = pa.Table.from_batches(self._waiting)
        data = encode_chunk(merged)
        chunk = Chunk(self._no, self._row, merged.num_rows, self._last_unit, data)
        retrying(self._engine, lambda tx: tables.insert_chunks(tx, self._table_id, [chunk]))
        self._digest.update(data)
        self._no += 1
        self._row += merged.num_rows
        self._waiting, self._waiting_bytes = [], 0


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows [first_row, first_row + rows.num_rows) of a table."""

    first_row: int
    rows: pa.Table


def read_range(
    connection: Connection, table: TableRecord, first_row: int, row_count: int
) -> RowRange:
    """Return the rows of a range, clipped to the table; fetches only the chunks that hold them."""
    first = max(0, first_row)
    end = min(first_row + row_count, table.row_count)
    parts = []
    for chunk in tables.chunks_of_rows(connection, table.id, first, max(0, end - first)):
        start = max(first, chunk.first_row)
        stop = min(end, chunk.first_row + chunk.row_count)
        if start < stop:
            decoded = decode_chunk(chunk.data)
            parts.append(decoded.slice(start - chunk.first_row, stop - start))
    merged = pa.concat_tables(parts) if parts else schema_of(table.columns).empty_table()
    return RowRange(first, merged)


def batches(
    engine: Engine, table: TableRecord, first_row: int = 0, *, chunk_count: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the whole table from `first_row` on, one chunk at a time, internal columns included.

    No transaction is open between two batches; a chunk is asked for again while Postgres blinks.
    `chunk_count` is for a table not sealed yet.
    """
    for no in range(table.chunk_count if chunk_count is None else chunk_count):
        chunk = retrying(engine, partial(tables.chunk_no, table_id=table.id, no=no))
        if chunk is None:
            raise LookupError(f"chunk {no} of table {table.id} is gone")
        skip = max(0, first_row - chunk.first_row)
        if skip < chunk.row_count:
            yield from decode_chunk(chunk.data).slice(skip).to_batches()


def visible(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Return only the declared columns, without `_unit` and `_row`."""
    return table.select([column.name for column in columns])


def visible_batches(engine: Engine, table: TableRecord) -> Iterator[pa.RecordBatch]:
    """Yield the declared columns of the whole table, one chunk at a time."""
    names = [column.name for column in table.columns]
    for batch in batches(engine, table):
        yield batch.select(names)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of an Arrow table as JSON-ready dictionaries."""
    return [row for batch in table.to_batches() for row in batch_to_rows(batch)]


def with_units(batch: pa.RecordBatch, units: Iterable[int]) -> pa.RecordBatch:
    """Return the batch with the unit each row came from."""
    return batch.append_column(UNIT_COLUMN, pa.array(units, pa.int64()))


def units_of(batch: pa.RecordBatch) -> list[int]:
    """Return the unit of each row (arrangements and stage outputs)."""
    numbers: list[Any] = batch.column(UNIT_COLUMN).to_pylist()
    return numbers
