"""Which typed columns a sequence of JSON rows has."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.columns import Column, ColumnType

_BOOLEAN, _INTEGER, _LARGE, _NUMBER, _STRING, _NESTED = 1, 2, 4, 8, 16, 32
_EXACT = 2**53  # a double holds every integer up to here

_TYPES: dict[int, ColumnType] = {
    0: "string",
    _BOOLEAN: "boolean",
    _INTEGER: "integer",
    _INTEGER | _LARGE: "integer",
    _NUMBER: "number",
    _NUMBER | _INTEGER: "number",
    _STRING: "string",
}


class ColumnInference:
    """Collects what types each column showed, row by row, in memory that grows with columns only.

    Columns are joined over all rows in order of first appearance. Integers beside numbers make
    ``number`` (``json`` where one of them is too large for a double), other mixtures and anything
    nested make ``json``, and a column with nulls alone is ``string``.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Take note of one row."""
        seen = self._seen
        for name, value in row.items():
            seen[name] = seen.get(name, 0) | _flags(value)

    def __len__(self) -> int:
        return len(self._seen)

    def columns(self) -> tuple[Column, ...]:
        """Return the columns of all rows added so far."""
        return tuple(Column(name, _TYPES.get(kind, "json")) for name, kind in self._seen.items())


def infer_columns(rows: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return the columns that hold all of ``rows`` (see `ColumnInference`)."""
    inference = ColumnInference()
    for row in rows:
        inference.add(row)
    return inference.columns()


def _flags(value: Any) -> int:
    if value is None:
        return 0
    kind = type(value)
    if kind is str:
        return _STRING
    if kind is bool:
        return _BOOLEAN
    if kind is int:
        return _INTEGER if -_EXACT <= value <= _EXACT else _INTEGER | _LARGE
    return _NUMBER if kind is float else _NESTED
