"""Which type all values of a csv column share, so that nothing is lost by taking it.

Only the canonical way to write a value counts: 007, +1, 1e5 and 64-bit overflows stay text.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.columns import Column, ColumnType
from shared.tables.arrow import schema_of

_YEAR = "[1-9][0-9]{3}"
_DATE = f"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
_ZONE = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"


def looks_typed(cell: str) -> bool:
    """Tell whether one cell alone would be a number, boolean, date or timestamp."""
    return any(re.fullmatch(kind.pattern, cell) for kind in _KINDS)


class CsvTypes:
    """Narrows down the types of text columns, batch by batch."""

    def __init__(self, width: int) -> None:
        self._open: list[list[_Kind]] = [list(_KINDS) for _ in range(width)]
        self._filled = [False] * width

    def add(self, arrays: Sequence[Any]) -> None:
        """Drop every type that a value of these columns (text, empty is null) does not fit."""
        for index, array in enumerate(arrays):
            if not self._open[index] or array.null_count == len(array):
                continue
            values = array.drop_null()
            self._filled[index] = True
            self._open[index] = [kind for kind in self._open[index] if _fits(kind, values)]

    def columns(self, names: Sequence[str]) -> tuple[Column, ...]:
        """Return the columns as found; one without any value is a string."""
        return tuple(
            Column(name, kind.type if kind else "string")
            for name, kind in zip(names, self._chosen(), strict=True)
        )

    def batch(self, names: Sequence[str], arrays: Sequence[Any]) -> pa.RecordBatch:
        """Return text columns as the typed batch; only after every value was added."""
        converted = [
            kind.convert(array) if kind else array
            for kind, array in zip(self._chosen(), arrays, strict=True)
        ]
        return pa.RecordBatch.from_arrays(converted, schema=schema_of(self.columns(names)))

    def _chosen(self) -> list["_Kind | None"]:
        return [
            kinds[0] if kinds and filled else None
            for kinds, filled in zip(self._open, self._filled, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Kind:
    type: ColumnType
    pattern: str
    convert: Callable[[Any], Any]


def _cast(target: pa.DataType) -> Callable[[Any], Any]:
    return lambda array: pc.cast(array, target)


def _to_boolean(array: Any) -> Any:
    return pc.equal(pc.utf8_lower(array), pa.scalar("true"))


def _from_local(array: Any) -> Any:
    """A time without a zone is taken as UTC."""
    return pc.cast(array, pa.timestamp("us")).view(pa.timestamp("us", "UTC"))


_KINDS = (
    _Kind("boolean", "true|false|True|False|TRUE|FALSE", _to_boolean),
    _Kind("integer", "0|-?[1-9][0-9]{0,18}", _cast(pa.int64())),
    # Digits and exponents a double can hold; an exponent needs its sign, or 1e5 would be a number.
    _Kind(
        "number",
        r"(?:0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,20})"
        r"(?:[eE][+-](?:[0-9]{1,2}|1[0-9]{2}|2[0-8][0-9]))?",
        _cast(pa.float64()),
    ),
    _Kind("date", _DATE, _cast(pa.date32())),
    _Kind("timestamp", f"{_DATE}[T ]{_TIME}{_ZONE}", _cast(pa.timestamp("us", "UTC"))),
    _Kind("timestamp", f"{_DATE}[T ]{_TIME}", _from_local),
)


def _fits(kind: _Kind, values: Any) -> bool:
    if re.fullmatch(kind.pattern, values[0].as_py()) is None:  # settles most columns at once
        return False
    if not pc.all(pc.match_substring_regex(values, f"^(?:{kind.pattern})$")).as_py():
        return False
    try:
        kind.convert(values)  # the 30th of February has the right pattern
    except pa.ArrowInvalid:
        return False
    return True
