"""Writes rows as csv that a spreadsheet can open without running anything."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from shared.domain.columns import Column

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(
    columns: Sequence[Column], batches: Iterable[Sequence[Mapping[str, Any]]]
) -> Iterator[bytes]:
    """Yield the bytes of a csv file in UTF-8: a header, then a piece for each batch of rows.

    Text that a spreadsheet would take for a formula gets a leading apostrophe (numbers do not),
    nested values are JSON, null is empty. Keys that are no column are not written.
    """
    names = [column.name for column in columns]
    yield _piece([names])
    for rows in batches:
        if rows:
            yield _piece([[row.get(name) for name in names] for row in rows])


def _piece(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return orjson.dumps(value).decode()
    return value
