"""Brings batches of any Arrow types to the seven column types, losing nothing."""

import base64
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.columns import Column
from shared.tables.arrow import schema_of


def narrow_batch(batch: pa.RecordBatch, columns: Sequence[Column]) -> pa.RecordBatch:
    """Return the batch with the types of ``columns``, which stand in the batch's order.

    Decimals, times and whatever has no column type become text, durations ISO 8601 text, binary
    base64 text, nested values JSON; a time without a zone is taken as UTC. Raises pa.ArrowInvalid
    where a value does not fit (integers past 64 bit, timestamps finer than a microsecond).
    """
    arrays = [
        narrow_array(batch.column(index), column, batch.schema.field(index))
        for index, column in enumerate(columns)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns))


def narrow_array(array: Any, column: Column, field: Any) -> Any:
    """Return one array with the type of ``column``; ``field`` is its Arrow field."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    elif pa.types.is_run_end_encoded(array.type):
        array = pc.call_function("run_end_decode", [array])
    if isinstance(array.type, pa.BaseExtensionType) and array.type.extension_name != "arrow.uuid":
        array = array.storage
    target = schema_of([column]).field(0).type
    if column.type == "json":
        return _to_json(array, field)
    if column.type == "string":
        return _to_text(array)
    if column.type == "timestamp":
        return pc.cast(array, pa.timestamp("us", array.type.tz)).view(target)
    return pc.cast(array, target)


def _to_json(array: Any, field: Any) -> Any:
    if pa.types.is_nested(array.type):
        values = [None if value is None else _dumps(value) for value in _python_values(array)]
    elif (field.metadata or {}).get(b"apwa.type") or _is_json(field.type):
        for text in array.to_pylist():
            if text is not None:
                _check_json(text)
        return pc.cast(array, pa.string())
    else:
        values = [None if value is None else _dumps(value) for value in array.to_pylist()]
    return pa.array(values, pa.string())


def _is_json(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.json"


def _check_json(text: str) -> None:
    try:
        orjson.loads(text)
    except ValueError as error:
        raise pa.ArrowInvalid(f"not JSON: {error}") from error


def _python_values(array: Any) -> list[Any]:
    try:
        return list(array.to_pylist(maps_as_pydicts="strict"))
    except KeyError:  # a map that has a key twice stays a list of pairs
        return list(array.to_pylist())


def _dumps(value: Any) -> str:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, timedelta):
        return iso_duration(value // timedelta(microseconds=1), 1_000_000)
    if isinstance(value, (Decimal, datetime, date, time)):
        return str(value)
    return str(value)


def _to_text(array: Any) -> Any:
    kind = array.type
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    for holds, convert in _TEXT:
        if holds(kind):
            return convert(array)
    values = [None if value is None else str(value) for value in array.to_pylist()]
    return pa.array(values, pa.string())


def iso_duration(count: int, per_second: int) -> str:
    """Return ``count`` parts of a second as ISO 8601, exactly: ``PT1.5S``, ``-PT0.000001S``."""
    seconds, rest = divmod(abs(count), per_second)
    digits = len(str(per_second)) - 1
    fraction = f".{rest:0{digits}d}".rstrip("0") if rest else ""
    return f"{'-' if count < 0 else ''}PT{seconds}{fraction}S"


def _base64(array: Any) -> Any:
    values = [
        None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()
    ]
    return pa.array(values, pa.string())


def _durations(array: Any) -> Any:
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[array.type.unit]
    counts = pc.cast(array, pa.int64()).to_pylist()
    values = [None if count is None else iso_duration(count, per_second) for count in counts]
    return pa.array(values, pa.string())


def _moments(array: Any) -> Any:
    """Return dates and timestamps as ISO text, those no calendar reaches as count and unit."""
    unit, zone = "days", ""
    if pa.types.is_timestamp(array.type):
        unit, zone = array.type.unit, "Z" if array.type.tz is not None else ""
        array = pc.cast(array, pa.timestamp(unit))
        numbers = array.view(pa.int64()).to_pylist()
    else:
        array = pc.cast(array, pa.date32())
        numbers = array.view(pa.int32()).to_pylist()
    texts = pc.replace_substring(pc.cast(array, pa.string()), " ", "T", max_replacements=1)
    values = [
        text and (f"{number} {unit} since 1970" if "range" in text else f"{text}{zone}")
        for number, text in zip(numbers, texts.to_pylist(), strict=True)
    ]
    return pa.array(values, pa.string())


def _as_string(array: Any) -> Any:
    return pc.cast(array, pa.string())


def _is_binary(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _is_printable(kind: Any) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_time(kind)
        or pa.types.is_boolean(kind)
    )


_TEXT: tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...] = (
    (_is_binary, _base64),
    (pa.types.is_duration, _durations),
    (pa.types.is_timestamp, _moments),
    (pa.types.is_date, _moments),
    (_is_printable, _as_string),
)
