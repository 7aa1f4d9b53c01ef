"""Reads parquet by small batches, whatever the size of its row groups."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.domain.columns import Column
from shared.tables.arrow import columns_of, rows_to_batch
from shared.tables.readers.csv_dialect import unique_names
from shared.tables.readers.json_check import MAX_DEPTH, RowError, check_row
from shared.tables.readers.narrowing import narrow_array, narrow_batch
from shared.tables.readers.records import Tally, unreadable
from shared.tables.readers.source import Source, Table

_BATCH_BYTES = 1 << 20
_MAX_BATCH_ROWS = 10_000
_FOOTER_BYTES = 64 << 20
_FREE_BYTES = 256 << 20  # a file may unfold to this whatever its own size
_FIRST, _LAST = -62135596800, 253402300799  # seconds of the years 1 and 9999, as ISO can say them


def read_parquet(source: Source) -> Table:
    """Look at the schema and at the values of columns that may not fit; then stream the rows."""
    try:
        with closing(_open(source)) as file:
            _check_shape(source, file)
            columns = _fitting(source, file)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
        raise unreadable(f"not a whole parquet file: {error}") from error
    tally = Tally()
    return Table(columns, _batches(source, columns, tally), tally)


def _open(source: Source) -> Any:
    return pq.ParquetFile(
        source.path,
        buffer_size=_BATCH_BYTES,  # or whole column chunks would be held
        pre_buffer=False,
        thrift_string_size_limit=_FOOTER_BYTES,
        thrift_container_size_limit=10_000_000,
    )


def _check_shape(source: Source, file: Any) -> None:
    fields = list(file.schema_arrow)
    if not fields:
        raise unreadable("the file has no columns")
    if len(fields) > source.limits.max_columns:
        limit = source.limits.max_columns
        raise unreadable(f"{len(fields)} columns are more than {limit}", "too_many_columns")
    if any(_depth(field.type) > MAX_DEPTH - 2 for field in fields):
        raise unreadable("a column is nested too deeply")
    metadata = file.metadata
    unfolded = sum(
        metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)
    )
    _Unfolding(source).add(unfolded)


def _depth(kind: pa.DataType) -> int:
    if not pa.types.is_nested(kind):
        return 1
    return 1 + max((_depth(kind.field(i).type) for i in range(kind.num_fields)), default=0)


class _Unfolding:
    """Sums up what a file unfolds to and refuses a bomb."""

    def __init__(self, source: Source) -> None:
        by_ratio = max(_FREE_BYTES, source.path.stat().st_size * source.limits.expansion)
        self._limit = min(source.limits.decoded_bytes, by_ratio)
        self._bytes = 0

    def add(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._limit:
            raise unreadable(f"it unfolds to more than {self._limit} bytes", "decompression_limit")


def _fitting(source: Source, file: Any) -> tuple[Column, ...]:
    """Return the columns; those whose values do not all fit the nearest type become strings."""
    schema = file.schema_arrow
    names = unique_names(schema.names)
    columns = [
        replace(column, name=name) for column, name in zip(columns_of(schema), names, strict=True)
    ]
    doubtful = [
        index for index, column in enumerate(columns) if _may_not_fit(schema.field(index), column)
    ]
    unfolding = _Unfolding(source)
    # A selection is by name, which only tells columns apart where names are plain and unique.
    selectable = len(set(schema.names)) == len(schema) and not any("." in n for n in schema.names)
    only = [schema.names[index] for index in doubtful] if selectable else None
    for batch in _raw_batches(file, only) if doubtful else ():
        unfolding.add(batch.nbytes)
        for place, index in enumerate(doubtful):
            column, array = columns[index], batch.column(place if selectable else index)
            if column.type != "string" and not _fits(array, column, schema.field(index)):
                columns[index] = replace(column, type="string")
    return tuple(columns)


def _may_not_fit(field: Any, column: Column) -> bool:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if column.type == "integer":
        return bool(pa.types.is_uint64(kind))
    return column.type in ("date", "timestamp") or (
        column.type == "json" and not pa.types.is_nested(kind)
    )


def _fits(array: Any, column: Column, field: Any) -> bool:
    try:
        narrowed = narrow_array(array, column, field)
    except pa.ArrowInvalid:
        return False
    if column.type not in ("date", "timestamp"):
        return True
    unit, kind = (86_400, pa.int32()) if column.type == "date" else (1 / 1_000_000, pa.int64())
    bounds: Any = pc.min_max(narrowed.view(kind)).as_py()
    if bounds["min"] is None:
        return True
    return bool(bounds["min"] * unit >= _FIRST and bounds["max"] * unit <= _LAST)


def _raw_batches(file: Any, only: Sequence[str] | None = None) -> Iterator[Any]:
    metadata = file.metadata
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    row_bytes = max(1, size // max(1, metadata.num_rows))
    rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // row_bytes))
    yield from file.iter_batches(batch_size=rows, columns=only, use_threads=False)


def _batches(source: Source, columns: tuple[Column, ...], tally: Tally) -> Iterator[Any]:
    unfolding = _Unfolding(source)
    row = 1
    try:
        with closing(_open(source)) as file:
            for batch in _raw_batches(file):
                unfolding.add(batch.nbytes)
                kept = _without_faults(batch, columns, row, tally)
                row += batch.num_rows
                if kept.num_rows:
                    yield kept
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
        raise unreadable(f"not a whole parquet file: {error}") from error


def _without_faults(
    batch: Any, columns: tuple[Column, ...], first_row: int, tally: Tally
) -> pa.RecordBatch:
    """Return the typed batch without rows whose text is no text."""
    try:
        batch.validate(full=True)  # parquet readers do not look whether strings are UTF-8
        narrowed = narrow_batch(batch, columns)
        suspects = _suspects(narrowed, columns)
    except (pa.ArrowInvalid, UnicodeError):
        if batch.num_rows == 1:
            tally.miss(first_row, "text that is not UTF-8")
            return _no_rows(columns)
        return _halves(batch, columns, first_row, tally)
    if not suspects:
        return narrowed
    for index, reason in suspects.items():
        tally.miss(first_row + index, reason)
    good = [index for index in range(narrowed.num_rows) if index not in suspects]
    return narrowed.take(pa.array(good, pa.int64()))


def _halves(
    batch: Any, columns: tuple[Column, ...], first_row: int, tally: Tally
) -> pa.RecordBatch:
    middle = batch.num_rows // 2
    parts = [
        _without_faults(batch.slice(0, middle), columns, first_row, tally),
        _without_faults(batch.slice(middle), columns, first_row + middle, tally),
    ]
    merged = pa.Table.from_batches(parts).combine_chunks().to_batches()
    return merged[0] if merged else _no_rows(columns)


def _no_rows(columns: tuple[Column, ...]) -> pa.RecordBatch:
    return rows_to_batch([], columns)


def _suspects(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> dict[int, str]:
    """Return the rows with NUL characters or JSON that no table keeps, each with its reason."""
    found: dict[int, str] = {}
    for array, column in zip(batch.columns, columns, strict=True):
        if column.type == "string":
            mask: Any = pc.match_substring(array, "\0")
            hits = pc.indices_nonzero(mask.fill_null(False))
            found.update(dict.fromkeys(hits.to_pylist(), "a NUL character"))
        elif column.type == "json":
            for index, text in enumerate(array.to_pylist()):
                fault = text and _json_fault(column.name, text)
                if fault:
                    found[index] = fault
    return dict(sorted(found.items()))


def _json_fault(name: str, text: str) -> str | None:
    try:
        check_row({name: orjson.loads(text)})
    except RowError as error:
        return str(error)
    return None
