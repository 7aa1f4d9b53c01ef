"""Writes rows as parquet, yielding the bytes as they come."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch, schema_of

_GROUP_ROWS = 10_000
_GROUP_BYTES = 16 << 20  # wide rows make a group of fewer


def write_parquet(
    columns: Sequence[Column], batches: Iterable[Sequence[Mapping[str, Any]]]
) -> Iterator[bytes]:
    """Yield the bytes of a parquet file from batches of JSON-ready rows, a row group at a time.

    Memory is bounded by one row group, about 10,000 rows. Raises `RowError` for a row that does
    not fit ``columns``.
    """
    schema = schema_of(columns)
    sink = _Sink()
    with pq.ParquetWriter(cast("IO[Any]", sink), schema, compression="zstd") as writer:
        for group in _groups(columns, batches):
            writer.write_table(pa.Table.from_batches(group, schema), row_group_size=_GROUP_ROWS)
            yield sink.drain()
    yield sink.drain()


def _groups(
    columns: Sequence[Column], batches: Iterable[Sequence[Mapping[str, Any]]]
) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch_rows in batches:
        for start in range(0, len(batch_rows), _GROUP_ROWS):
            batch = rows_to_batch(batch_rows[start : start + _GROUP_ROWS], columns)
            if group and rows + batch.num_rows > _GROUP_ROWS:
                yield group
                group, rows, size = [], 0, 0
            group.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if size >= _GROUP_BYTES:
                yield group
                group, rows, size = [], 0, 0
    if group:
        yield group


class _Sink(io.RawIOBase):
    """A file to pyarrow that hands out what was written so far."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def drain(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
