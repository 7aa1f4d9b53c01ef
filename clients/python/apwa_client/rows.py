"""Rows of whatever holds them (data frames, arrow tables, iterables) as JSON-ready dicts."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

Row = dict[str, Any]
_AT_ONCE = 5_000
_BLOCK_BYTES = 2_000_000  # an API takes bodies of 10 MB where its operator said nothing else


def rows_of(data: Any) -> Iterator[Row]:
    """Yield the rows of a pandas or polars frame, an arrow table, or an iterable of mappings.

    Missing values (NaN, NaT, NA) become None, times ISO text; the index of a frame is not sent.
    """
    for row in _raw_rows(data):
        if not isinstance(row, Mapping):
            raise TypeError(f"a row is a mapping of column to value, not {type(row).__name__}")
        yield {str(name): json_ready(value) for name, value in row.items()}


def is_rows(data: Any) -> bool:
    """Tell whether `rows_of` takes it."""
    return is_frame(data) or is_arrow(data) or (isinstance(data, Iterable) and not _is_text(data))


def is_frame(data: Any) -> bool:
    """Tell whether it is a data frame of pandas or polars, or one that looks like it."""
    return hasattr(data, "columns") and (hasattr(data, "to_dict") or hasattr(data, "to_dicts"))


def is_arrow(data: Any) -> bool:
    """Tell whether it is a table of pyarrow."""
    return hasattr(data, "to_batches") and hasattr(data, "schema")


def line_of(row: Row) -> bytes:
    """Return one row as a line of NDJSON."""
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def in_blocks(lines: Iterable[bytes], most: int) -> Iterator[list[bytes]]:
    """Yield lines in blocks of up to `most` and about 2 MB; one that is larger goes alone.

    A full block is yielded at once, without asking for the line after it.
    """
    block: list[bytes] = []
    size = 0
    for line in lines:
        if block and size + len(line) > _BLOCK_BYTES:
            yield block
            block, size = [], 0
        block.append(line)
        size += len(line)
        if len(block) >= most:
            yield block
            block, size = [], 0
    if block:
        yield block


def json_ready(value: Any) -> Any:
    """Return a value as JSON has it; TypeError for what has no such form."""
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return str(value.value) if isinstance(value, Enum) else value
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(float(value))
    if isinstance(value, Mapping):
        return {str(name): json_ready(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_ready(item) for item in value]
    if isinstance(value, (UUID, Enum)):
        return json_ready(value.value) if isinstance(value, Enum) else str(value)
    if hasattr(value, "tolist"):  # scalars and arrays of numpy
        return json_ready(value.tolist())
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON; turn it into text or numbers")


def _raw_rows(data: Any) -> Iterator[Any]:
    if is_arrow(data):
        for batch in data.to_batches(max_chunksize=_AT_ONCE):
            yield from batch.to_pylist()
    elif hasattr(data, "iter_rows") and hasattr(data, "to_dicts"):
        yield from data.iter_rows(named=True)
    elif is_frame(data):
        _refuse_doubled(data)
        for at in range(0, len(data), _AT_ONCE):
            yield from data.iloc[at : at + _AT_ONCE].to_dict("records")
    else:
        yield from data


def _refuse_doubled(frame: Any) -> None:
    """Refuse two columns of one name: as a dict, a row keeps only the last of them."""
    names = [str(name) for name in frame.columns]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"the data frame has several columns called {', '.join(doubled)}")


def _is_text(data: Any) -> bool:
    return isinstance(data, (str, bytes, bytearray, Mapping))


def _number(value: float) -> float | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise ValueError("infinity has no form in JSON")
    return float(value)


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
