"""Cuts what a reader yields into batches of bounded size, on their way to the parent."""

from collections.abc import Iterator

import pyarrow as pa

from shared.tables.arrow import schema_of
from shared.tables.readers.records import nothing_readable
from shared.tables.readers.source import Table

MAX_BATCH_ROWS = 10_000
MAX_BATCH_BYTES = 1 << 20


def cut_batches(table: Table) -> Iterator[pa.RecordBatch]:
    """Yield an empty batch, which tells the columns, then all rows in batches of bounded size.

    A single row larger than the bound is a batch of its own. Raises a refusal when there were
    rows and none of them could be read.
    """
    rows = 0
    schema = schema_of(table.columns)
    for batch in table.batches:
        if rows == 0:
            yield pa.RecordBatch.from_pylist([], schema=schema)
        rows += batch.num_rows
        yield from _pieces(batch)
    if rows == 0 and table.tally.unreadable:
        raise nothing_readable(table.tally)
    if rows == 0:
        yield pa.RecordBatch.from_pylist([], schema=schema)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = batch.num_rows
    if rows <= 1 or (rows <= MAX_BATCH_ROWS and batch.nbytes <= MAX_BATCH_BYTES):
        yield batch
        return
    yield from _pieces(batch.slice(0, rows // 2))
    yield from _pieces(batch.slice(rows // 2))
