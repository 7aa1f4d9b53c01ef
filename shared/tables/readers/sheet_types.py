"""Which type all cells of a column share, and how a cell is written in it."""

import math
from datetime import date, datetime, time, timedelta
from typing import Any

from shared.domain.columns import ColumnType
from shared.tables.readers.json_check import INT64_MAX, INT64_MIN, printable
from shared.tables.readers.narrowing import iso_duration

_BOOLEAN, _INTEGER, _NUMBER, _DATE, _TIMESTAMP, _OTHER = 1, 2, 4, 8, 16, 32
_TYPES: dict[int, ColumnType] = {
    _BOOLEAN: "boolean",
    _INTEGER: "integer",
    _NUMBER: "number",
    _NUMBER | _INTEGER: "number",
    _DATE: "date",
    _TIMESTAMP: "timestamp",
    _TIMESTAMP | _DATE: "timestamp",
}


class CellTypes:
    """Collects what each column showed, row by row; a mixture is text."""

    def __init__(self) -> None:
        self._seen: list[int] = []

    @property
    def width(self) -> int:
        """The number of columns so far."""
        return len(self._seen)

    def widen(self, width: int) -> None:
        """Make room for columns that have only a name so far."""
        self._seen += [0] * (width - len(self._seen))

    def add(self, cells: tuple[Any, ...]) -> None:
        """Take note of one row."""
        self.widen(len(cells))
        for at, cell in enumerate(cells):
            if cell is not None:
                self._seen[at] |= _flag(cell)

    def filled(self, at: int) -> bool:
        """Tell whether the column has any value."""
        return bool(self._seen[at])

    def type_of(self, at: int) -> ColumnType:
        """Return the type of a column after all rows."""
        return _TYPES.get(self._seen[at], "string")

    def value(self, at: int, cell: Any) -> Any:
        """Return a cell as a JSON-ready value of its column's type."""
        if cell is None:
            return None
        match self.type_of(at):
            case "string":
                return _as_text(cell)
            case "number":
                return float(cell)
            case "date" | "timestamp":
                return _moment(cell, whole_days=self.type_of(at) == "date")
            case _:
                return cell


def _flag(cell: Any) -> int:
    if isinstance(cell, bool):
        return _BOOLEAN
    if isinstance(cell, int):
        return _INTEGER if INT64_MIN <= cell <= INT64_MAX else _OTHER
    if isinstance(cell, float):
        return _NUMBER if math.isfinite(cell) else _OTHER
    if isinstance(cell, datetime):
        return _DATE if cell.time() == time() else _TIMESTAMP
    return _DATE if isinstance(cell, date) else _OTHER


def _moment(cell: date, *, whole_days: bool) -> str:
    if whole_days:
        return cell.isoformat()[: len("2000-01-01")]
    moment = cell if isinstance(cell, datetime) else datetime.combine(cell, time())
    return f"{moment.isoformat()}Z"


def _as_text(cell: Any) -> str:
    if isinstance(cell, str):
        return printable(cell.replace("\0", ""))
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, timedelta):
        return iso_duration(round(cell.total_seconds() * 1_000_000), 1_000_000)
    if isinstance(cell, datetime):
        return _moment(cell, whole_days=cell.time() == time())
    return cell.isoformat() if isinstance(cell, (date, time)) else str(cell)
