"""The one map between JSON rows, typed columns, Arrow batches and the bytes of a chunk."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.columns import Column, ColumnType
from shared.tables.readers.json_check import RowError, below, check_row, check_rows
from shared.tables.readers.json_types import ColumnInference, infer_columns

__all__ = [
    "ColumnInference",
    "RowError",
    "batch_to_rows",
    "check_row",
    "check_rows",
    "columns_of",
    "decode_chunk",
    "encode_chunk",
    "infer_columns",
    "rows_to_batch",
    "schema_of",
]

_JSON_MARK = {b"apwa.type": b"json"}
_ARROW: dict[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "json": pa.string(),
}
_PLAIN: dict[ColumnType, frozenset[type]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
}


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the Arrow schema of ``columns``; a json column is text marked in its metadata."""
    return pa.schema(
        [
            pa.field(
                column.name,
                _ARROW[column.type],
                metadata=_JSON_MARK if column.type == "json" else None,
            )
            for column in columns
        ]
    )


def columns_of(schema: pa.Schema) -> tuple[Column, ...]:
    """Return the columns of any Arrow schema: what `schema_of` wrote, or the nearest column types.

    Types that no column type holds without loss (decimals, times, durations, binary) are strings,
    lists, structs and maps are json. `readers.narrowing.narrow_batch` converts the values.
    """
    return tuple(Column(field.name, _column_type(field)) for field in schema)


def rows_to_batch(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pa.RecordBatch:
    """Return JSON rows as one batch; a missing key is null.

    Raises `RowError` with a pointer like ``/3/name`` for a value that does not fit its column and
    for a key that is no column: nothing is dropped silently.
    """
    known = {column.name for column in columns}
    if rows and not known:
        raise RowError("/0", "a table without columns has no rows")  # Arrow would forget them
    for index, row in enumerate(rows):
        if not known.issuperset(row):
            extra = next(name for name in row if name not in known)
            raise RowError(below(below("", index), extra), "there is no such column")
    arrays = [_array(column, [row.get(column.name) for row in rows]) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns))


def batch_to_rows(batch: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """Return a batch as JSON-ready rows.

    json columns are decoded, dates and timestamps are ISO text (timestamps UTC ending in ``Z``),
    numbers that are not finite are None. The types must be those of `schema_of`.
    """
    names = batch.schema.names
    if not names:
        return [{} for _ in range(batch.num_rows)]
    values = [
        _values(column, batch.column(index))
        for index, column in enumerate(columns_of(batch.schema))
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def encode_chunk(data: pa.Table | pa.RecordBatch) -> bytes:
    """Return the rows as Arrow IPC with zstd inside; equal rows give equal bytes."""
    table = pa.Table.from_batches([data]) if isinstance(data, pa.RecordBatch) else data
    # Copying row by row drops what may differ between equal tables: offsets, splits, unused bits
    # and the bytes under nulls.
    table = table.take(pa.array(range(table.num_rows), pa.int64())).combine_chunks()
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
    schema = table.schema.remove_metadata()
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_table(table.replace_schema_metadata(None))
    return bytes(sink.getvalue().to_pybytes())


def decode_chunk(data: bytes) -> pa.Table:
    """Return the table that `encode_chunk` wrote; raises ValueError for anything else."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            return reader.read_all()
    except (pa.ArrowException, OSError, EOFError) as error:
        raise ValueError("these bytes are no chunk of a table") from error


def _column_type(field: Any) -> ColumnType:
    kind = field.type
    if isinstance(kind, pa.BaseExtensionType):
        return "json" if kind.extension_name == "arrow.json" else "string"
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _column_type(pa.field(field.name, kind.value_type, metadata=field.metadata))
    if (field.metadata or {}).get(b"apwa.type") == b"json" and _is_text(kind):
        return "json"
    for holds, column_type in _NEAREST:
        if holds(kind):
            return column_type
    return "string"


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


_NEAREST: tuple[tuple[Callable[[Any], bool], ColumnType], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "number"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_nested, "json"),
)


def _array(column: Column, values: list[Any]) -> Any:
    """Convert in one go where every value has a plain type, else one by one to find the culprit."""
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if kinds <= _PLAIN.get(column.type, frozenset()):
        with suppress(pa.ArrowException, OverflowError, UnicodeError):
            array = pa.array(values, _ARROW[column.type])
            if column.type != "number" or _all_finite(array):
                return array
    fit = _FIT[column.type]
    fitted = [
        None if value is None else _fitted(fit, value, index, column)
        for index, value in enumerate(values)
    ]
    return pa.array(fitted, _ARROW[column.type])


def _fitted(fit: Callable[[Any], Any], value: Any, index: int, column: Column) -> Any:
    try:
        return fit(value)
    except (ValueError, TypeError, OverflowError) as error:
        detail = str(error) if type(error) is ValueError else f"does not fit type {column.type}"
        raise RowError(below(below("", index), column.name), detail) from error


def _fit_string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("the text has a lone surrogate") from error
    return value


def _fit_integer(value: Any) -> int:
    if (
        isinstance(value, float) and value.is_integer()
    ):  # JSON makes no difference between 1.0 and 1
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    if not -(2**63) <= value < 2**63:
        raise ValueError("the integer does not fit 64 bits")
    return value


def _fit_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    if not math.isfinite(value):
        raise ValueError("the number is not finite")
    return float(value)


def _fit_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _fit_date(value: Any) -> date:
    if not isinstance(value, str) or len(value) != len("2000-01-01"):
        raise TypeError
    return date.fromisoformat(value)


def _fit_timestamp(value: Any) -> datetime:
    if not isinstance(value, str):
        raise TypeError
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _fit_json(value: Any) -> str:
    return orjson.dumps(value).decode()


_FIT: dict[ColumnType, Callable[[Any], Any]] = {
    "string": _fit_string,
    "integer": _fit_integer,
    "number": _fit_number,
    "boolean": _fit_boolean,
    "date": _fit_date,
    "timestamp": _fit_timestamp,
    "json": _fit_json,
}


def _values(column: Column, array: Any) -> list[Any]:
    if array.type != _ARROW[column.type]:
        raise ValueError(f"column {column.name} holds {array.type}; narrow it first")
    if column.type == "json":
        return [None if text is None else orjson.loads(text) for text in array.to_pylist()]
    if column.type == "number" and not _all_finite(array):
        return [None if v is None or not math.isfinite(v) else v for v in array.to_pylist()]
    if column.type == "date":
        array = array.cast(pa.string())
    if column.type == "timestamp":
        array = _iso(array)
    return list(array.to_pylist())


def _iso(array: Any) -> Any:
    # Through text without a zone: pyarrow would look for a zone database, which slim images lack.
    text = array.cast(pa.timestamp("us")).cast(pa.string())
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    text = pc.replace_substring_regex(text, r"\.0+$", "")
    return pc.binary_join_element_wise(text, "Z", "")


def _all_finite(array: Any) -> bool:
    return pc.all(pc.is_finite(array), min_count=0).as_py() is not False
