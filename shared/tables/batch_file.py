"""The table of a batch file: its text again, its custom ids, and what is left when it is erased."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from shared.database import tables
from shared.database.engine import Connection, Engine, retrying
from shared.database.tables import Chunk, TableRecord
from shared.tables.arrow import decode_chunk, encode_chunk
from shared.tables.store import batches, read_range

_ID = "custom_id"
_TEXT = ("before", "body", "after")


def file_bytes(engine: Engine, table: TableRecord) -> Iterator[bytes]:
    """Yield the file as it was uploaded, byte for byte, a stored piece at a time."""
    for batch in batches(engine, table):
        columns = [batch.column(name).to_pylist() for name in _TEXT]
        yield "".join(
            part for row in zip(*columns, strict=True) for part in row if part is not None
        ).encode()


def custom_ids(
    connection: Connection, table: TableRecord, first_row: int, row_count: int
) -> list[str | None]:
    """Return the custom ids of a range of lines, fewer where their rows are gone."""
    rows = read_range(connection, table, first_row, row_count).rows
    found: list[str | None] = rows.column(_ID).to_pylist()
    return found


def keep_custom_ids(engine: Engine, table: TableRecord) -> None:
    """Erase everything else, piece by piece; a second time it changes nothing."""
    for no in range(table.chunk_count):
        chunk = retrying(engine, partial(tables.chunk_no, table_id=table.id, no=no))
        if chunk is not None:
            stripped = _stripped(chunk)
            retrying(engine, partial(tables.replace_chunk, table_id=table.id, chunk=stripped))


def _stripped(chunk: Chunk) -> Chunk:
    found = decode_chunk(chunk.data)
    columns = [
        found.column(field.name) if field.name == _ID else pa.nulls(found.num_rows, field.type)
        for field in found.schema
    ]
    data = encode_chunk(pa.Table.from_arrays(columns, schema=found.schema))
    return Chunk(chunk.no, chunk.first_row, chunk.row_count, chunk.last_unit, data)
