"""Rows of a result as a pandas DataFrame, with the types the job declares."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from apwa_client.rows import Row

_MOMENTS: dict[str, dict[str, Any]] = {
    "timestamp": {"utc": True, "format": "ISO8601"},
    "date": {"format": "ISO8601"},
}
_TYPES = {
    "integer": ("int64", "Int64"),
    "number": ("float64", "Float64"),
    "boolean": ("bool", "boolean"),
}


def to_frame(rows: Sequence[Row], columns: Sequence[Mapping[str, object]]) -> Any:
    """Return a DataFrame; `columns` ({name, type}) give order and types, even without rows.

    Integers and booleans with missing values are pandas' nullable types; timestamps are UTC.
    """
    pandas = importlib.import_module("pandas")
    names = [str(column["name"]) for column in columns]
    extra = [name for name in (rows[0] if rows else ()) if name not in names]
    frame = pandas.DataFrame.from_records(list(rows), columns=[*names, *extra])
    for column in columns:
        name, kind = str(column["name"]), str(column["type"])
        if kind in _TYPES:
            plain, nullable = _TYPES[kind]
            frame[name] = frame[name].astype(nullable if frame[name].isna().any() else plain)
        elif kind in _MOMENTS:
            frame[name] = pandas.to_datetime(frame[name], **_MOMENTS[kind])
    return frame
