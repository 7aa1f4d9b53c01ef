"""Reads one sheet of a workbook (xlsx) as a table: the sheet asked for, or the first."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any
from zipfile import BadZipFile

from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch
from shared.tables.readers.archives import open_archive
from shared.tables.readers.csv_dialect import unique_names
from shared.tables.readers.records import Tally, unreadable
from shared.tables.readers.sheet_types import CellTypes
from shared.tables.readers.source import Source, Table

_BLOCK_ROWS = 2_000
_LAST_ROW = 1 << 24  # of any program's sheets; a row may claim a number a thousand times that
# What the library makes of XML that is none, of parts that are missing, of numbers that are none.
_BROKEN = (KeyError, TypeError, AttributeError, OSError, ValueError, SyntaxError)
Cells = tuple[Any, ...]


def read_xlsx(source: Source) -> Table:
    """Go through the sheet once for its columns; the batches go through it again.

    The first row that is not empty names the columns where all of it is text. Of a formula the
    value last computed is read.
    """
    with open_archive(source.path, source.limits) as archive:
        archive.verify()
    with _sheet(source) as (sheet, told):
        layout = _layout(sheet, source)
    dialect = {**told, "header": layout.has_header}
    return Table(layout.columns, _batches(source, layout), Tally(), dialect=dialect)


def _layout(sheet: Any, source: Source) -> "_Layout":
    types, most = CellTypes(), source.limits.max_columns
    rows = _rows(sheet)
    first = next(rows, None)
    if first is None:
        raise unreadable(f"the sheet {sheet.title!r} is empty")
    header = _header(first)
    types.widen(len(first))
    if not header:
        types.add(first)
    for cells in rows:
        types.add(cells)
        if types.width > most:
            break
    if types.width > most:
        raise unreadable(f"more than {most} columns", "too_many_columns")
    return _Layout(header, types)


class _Layout:
    """Which cells of a row are which columns; one without name and values is none."""

    def __init__(self, header: Cells, types: CellTypes) -> None:
        named = [_name(header[at]) if at < len(header) else "" for at in range(types.width)]
        self.places = [at for at in range(types.width) if named[at] or types.filled(at)]
        self.has_header = bool(header)
        names = unique_names([named[at] for at in self.places])
        self.columns = tuple(
            Column(name, types.type_of(at)) for name, at in zip(names, self.places, strict=True)
        )
        self._types = types

    def row(self, cells: Cells) -> dict[str, Any]:
        """Return the cells as a JSON-ready row."""
        return {
            column.name: self._types.value(at, cells[at])
            for column, at in zip(self.columns, self.places, strict=True)
            if at < len(cells)
        }


def _batches(source: Source, layout: _Layout) -> Iterator[Any]:
    with _sheet(source) as (sheet, _):
        rows = _rows(sheet)
        if layout.has_header:
            next(rows)
        block = []
        for cells in rows:
            block.append(layout.row(cells))
            if len(block) >= _BLOCK_ROWS:
                yield rows_to_batch(block, layout.columns)
                block = []
        if block:
            yield rows_to_batch(block, layout.columns)


@contextmanager
def _sheet(source: Source) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the sheet and what is told of it; raise a refusal for a workbook that breaks off."""
    # Here, because only workbooks pay for this import.
    import warnings

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    warnings.simplefilter("ignore")  # of extensions that are not read
    try:
        with source.path.open("rb") as file:  # not the path: its suffix need not be a workbook's
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            yield _chosen(book, source.sheet)
            book.close()
    except (InvalidFileException, BadZipFile, *_BROKEN) as error:
        raise unreadable(f"not a whole workbook: {error}") from error


def _chosen(book: Any, wanted: str | None) -> tuple[Any, dict[str, Any]]:
    """Return the sheet of that name; without one the first that is shown."""
    names = [sheet.title for sheet in book.worksheets]
    if not names:
        raise unreadable("the workbook has no sheet of cells")
    if wanted is not None and wanted not in names:
        raise unreadable(f"there is no sheet {wanted!r}, only {', '.join(map(repr, names[:20]))}")
    shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    sheet = book[wanted] if wanted is not None else (shown or book.worksheets)[0]
    sheet.reset_dimensions()  # what the file claims may be wrong
    others = [name for name in names if name != sheet.title]
    return sheet, {"sheet": sheet.title, "other_sheets": others[:100]}


def _rows(sheet: Any) -> Iterator[Cells]:
    """Yield the rows that are not empty, without the empty cells at their end."""
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        if number > _LAST_ROW:  # the library yields an empty row for every number left out
            raise unreadable(f"a row beyond number {_LAST_ROW}", "decompression_limit")
        width = len(cells)
        while width and cells[width - 1] in (None, ""):
            width -= 1
        if width:
            yield cells[:width]


def _header(cells: Cells) -> Cells:
    """Return the cells when they name the columns, else nothing."""
    said = [cell for cell in cells if cell is not None]
    typed = (int, float, datetime, date, time, timedelta)
    return () if any(isinstance(cell, typed) for cell in said) else cells


def _name(cell: Any) -> str:
    return "" if cell is None else str(cell)
