"""Reads XML: elements that repeat become rows; a file without them is one document."""

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from shared.domain.columns import Column
from shared.tables.arrow import schema_of
from shared.tables.readers.csv_types import CsvTypes
from shared.tables.readers.json_check import RowError, check_row, printable
from shared.tables.readers.records import Tally, nothing_readable, unreadable
from shared.tables.readers.source import Source, Table, one_row
from shared.tables.readers.xml_document import text_of
from shared.tables.readers.xml_events import walk_slowly
from shared.tables.readers.xml_shape import row_path, shape_of

_BLOCK_ROWS = 2_000
_BLOCK_CHARS = 512 << 10
_ATTRIBUTE = "@"  # before the name of an attribute, until it is known to be no element's as well
_TEXT = "text"
Row = dict[str, Any]


def read_xml(source: Source) -> Table:
    """Go through the file for its shape, for the types of its columns, and for its rows.

    Attributes and child elements are columns; what repeats or has a structure of its own is json.
    """
    if not source.path.stat().st_size:
        raise unreadable("the file is empty")
    shape = shape_of(source.path)
    path = row_path(shape)
    if path is not None:
        return _table(source, path)
    title, text = text_of(source.path, shape, source.limits)
    return one_row({"name": printable(source.name), "title": title, "text": text})


def _table(source: Source, path: tuple[str, ...]) -> Table:
    first_look = Tally()
    found: dict[str, _Column] = {}
    for block in _blocks(_rows(source, path, first_look)):
        for row in block:
            for name in row:
                if name not in found:
                    found[name] = _Column()
        if len(found) > source.limits.max_columns:
            limit = source.limits.max_columns
            raise unreadable(f"more than {limit} columns", "too_many_columns")
        for name, column in found.items():
            column.add([row.get(name) for row in block])
    if not found:
        raise nothing_readable(first_look) if first_look.unreadable else unreadable("no rows")
    columns = tuple(Column(_named(name, found), one.type) for name, one in found.items())
    tally = Tally()
    batches = (_batch(block, found, columns) for block in _blocks(_rows(source, path, tally)))
    return Table(columns, batches, tally)


class _Column:
    """What one column held so far."""

    def __init__(self) -> None:
        self._types = CsvTypes(1)
        self._nested = False

    def add(self, values: list[Any]) -> None:
        """Take note of some values: text, nested, or None."""
        self._nested = self._nested or any(isinstance(value, (dict, list)) for value in values)
        if not self._nested:
            self._types.add([pa.array(values, pa.string())])

    @property
    def type(self) -> Any:
        """The type all values share."""
        return "json" if self._nested else self._types.columns([""])[0].type

    def array(self, values: list[Any]) -> Any:
        """Return values as an array of that type."""
        if self._nested:
            texts = [None if value is None else orjson.dumps(value).decode() for value in values]
            return pa.array(texts, pa.string())
        return self._types.batch([""], [pa.array(values, pa.string())]).column(0)


def _named(name: str, found: dict[str, _Column]) -> str:
    plain = name.removeprefix(_ATTRIBUTE)
    return name if name.startswith(_ATTRIBUTE) and plain in found else plain


def _batch(block: list[Row], found: dict[str, _Column], columns: tuple[Column, ...]) -> Any:
    arrays = [one.array([row.get(name) for row in block]) for name, one in found.items()]
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns))


def _rows(source: Source, path: tuple[str, ...], tally: Tally) -> Iterator[tuple[Row, int]]:
    """Yield each good row with its size in characters."""
    listener = _Records(path, source.limits.row_bytes)
    number = 0
    for _ in walk_slowly(source.path, listener):
        for row, size in listener.take():
            number += 1
            if row is None:
                tally.miss(number, f"the row is longer than {source.limits.row_bytes} characters")
                continue
            try:
                check_row(row)
            except RowError as error:
                tally.miss(number, str(error))
            else:
                yield row, size


def _blocks(rows: Iterator[tuple[Row, int]]) -> Iterator[list[Row]]:
    block: list[Row] = []
    chars = 0
    for row, size in rows:
        block.append(row)
        chars += size
        if len(block) >= _BLOCK_ROWS or chars >= _BLOCK_CHARS:
            yield block
            block, chars = [], 0
    if block:
        yield block


class _Element:
    """An element of a row while it is read."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self._parts: Row = {f"{_ATTRIBUTE}{name}": value for name, value in attributes.items()}
        self._many: set[str] = set()
        self.text: list[str] = []

    def put(self, tag: str, value: Any) -> None:
        """Add a child; a second one of the same tag makes a list."""
        if tag in self._many:
            self._parts[tag].append(value)
        elif tag in self._parts:
            self._parts[tag] = [self._parts[tag], value]
            self._many.add(tag)
        else:
            self._parts[tag] = value

    def value(self) -> Any:
        """Return text for an element that has nothing else (None for empty), else an object."""
        text = "".join(self.text).strip() or None
        if not self._parts:
            return text
        return self._parts | ({_TEXT: text} if text and _TEXT not in self._parts else {})


class _Records:
    """Listens to a file and keeps the elements of one path until they are taken."""

    def __init__(self, path: tuple[str, ...], limit: int) -> None:
        self._path, self._limit = path, limit
        self._outside: list[str] = []
        self._inside: list[_Element] = []
        self._size = 0
        self._done: list[tuple[Row | None, int]] = []

    def take(self) -> list[tuple[Row | None, int]]:
        """Return the rows that are whole; None stands for one that is too long."""
        done, self._done = self._done, []
        return done

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._inside:
            self._size += len(tag) + sum(map(len, attributes.values()))
            self._inside.append(_Element(attributes if self._size <= self._limit else {}))
            return
        self._outside.append(tag)
        if len(self._outside) == len(self._path) and tuple(self._outside) == self._path:
            self._size = sum(map(len, attributes.values()))
            self._inside.append(_Element(attributes))

    def end(self, tag: str) -> None:
        if not self._inside:
            self._outside.pop()
            return
        value = self._inside.pop().value()
        if self._inside:
            if self._size <= self._limit:
                self._inside[-1].put(tag, value)
            return
        self._outside.pop()
        row = value if isinstance(value, dict) else {_TEXT: value}
        self._done.append((row if self._size <= self._limit else None, self._size))

    def data(self, text: str) -> None:
        if self._inside:
            self._size += len(text)
            if self._size <= self._limit:
                self._inside[-1].text.append(text)
