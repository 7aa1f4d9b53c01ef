"""Reads json (an array of objects, or one object) and ndjson, row by row."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import orjson

from shared.tables.arrow import rows_to_batch
from shared.tables.readers.formats import PREFIX_BYTES
from shared.tables.readers.json_check import RowError, check_row
from shared.tables.readers.json_elements import BrokenArrayError, array_elements
from shared.tables.readers.json_types import ColumnInference
from shared.tables.readers.records import Tally, nothing_readable, unreadable
from shared.tables.readers.source import Source, Table

_BLOCK_ROWS = 2_000
_BLOCK_BYTES = 512 << 10
_LONG_NUMBER = re.compile(rb"[0-9]{19}")  # orjson would make a double of one past 64 bits
_MARK = b"\xef\xbb\xbf"

# The number of a row (its line or its place) with its bytes, or with what is wrong with it.
_Raw = tuple[int, bytes | str]


def read_json(source: Source) -> Table:
    """Read a .json file: an array, a single object, or objects line by line."""
    with source.path.open("rb") as file:
        # Not by line: an array of any size may stand on one.
        if file.read(PREFIX_BYTES).removeprefix(_MARK).lstrip().startswith(b"["):
            return _read(source, _elements)
        file.seek(0)
        first = _first_line(file, source.limits.row_bytes)
        has_more = bool(file.read(1 << 16).strip())
    if not first.startswith(b"{"):
        raise unreadable("neither a JSON array nor an object" if first else "the file is empty")
    return _read(source, _lines if has_more and _is_object(first) else _single)


def read_ndjson(source: Source) -> Table:
    """Read a file with one JSON object on each line; blank lines are no rows."""
    with source.path.open("rb") as file:
        if not _first_line(file, source.limits.row_bytes):
            raise unreadable("the file is empty")
    return _read(source, _lines)


def _read(source: Source, raw_rows: Callable[[Source], Iterator[_Raw]]) -> Table:
    """Go through the rows once for the columns; the batches go through them again."""
    inference, first_look = ColumnInference(), Tally()
    rows = 0
    for row, _ in _rows(source, raw_rows, first_look):
        inference.add(row)
        rows += 1
        if len(inference) > source.limits.max_columns:
            limit = source.limits.max_columns
            raise unreadable(f"more than {limit} columns", "too_many_columns")
    if not rows and first_look.unreadable:
        raise nothing_readable(first_look)
    columns, tally = inference.columns(), Tally()
    if rows and not columns:
        raise unreadable("no row has any column")

    blocks = _blocks(_rows(source, raw_rows, tally))
    return Table(columns, (rows_to_batch(block, columns) for block in blocks), tally, "utf-8")


def _rows(
    source: Source, raw_rows: Callable[[Source], Iterator[_Raw]], tally: Tally
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each good row with its size in bytes."""
    try:
        for number, raw in raw_rows(source):
            if isinstance(raw, str):
                tally.miss(number, raw)
                continue
            try:
                row = _parsed(raw)
                check_row(row)
            except RowError as error:
                tally.miss(number, str(error) if error.pointer else error.detail)
            except (ValueError, RecursionError) as error:
                tally.miss(number, f"not valid JSON: {error}")
            else:
                yield row, len(raw)
    except BrokenArrayError as error:
        raise unreadable(str(error)) from error


def _parsed(raw: bytes) -> Any:
    if _LONG_NUMBER.search(raw):
        return json.loads(raw, parse_constant=_refuse_constant)
    return orjson.loads(raw)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _blocks(rows: Iterator[tuple[dict[str, Any], int]]) -> Iterator[list[dict[str, Any]]]:
    block: list[dict[str, Any]] = []
    size = 0
    for row, row_bytes in rows:
        block.append(row)
        size += row_bytes
        if len(block) >= _BLOCK_ROWS or size >= _BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _elements(source: Source) -> Iterator[_Raw]:
    with source.path.open("rb") as file:
        yield from enumerate(array_elements(file, source.limits.row_bytes), 1)


def _single(source: Source) -> Iterator[_Raw]:
    limit = source.limits.document_bytes
    if source.path.stat().st_size > limit:
        raise unreadable(f"one JSON object of more than {limit} bytes")
    yield 1, source.path.read_bytes().removeprefix(_MARK)


def _lines(source: Source) -> Iterator[_Raw]:
    limit = source.limits.row_bytes
    with source.path.open("rb") as file:
        number = 0
        while line := file.readline(limit):
            number += 1
            if len(line) == limit and not line.endswith(b"\n"):
                _skip_line(file)
                yield number, f"the line is longer than {limit} bytes"
                continue
            if number == 1:
                line = line.removeprefix(_MARK)
            if line := line.strip():
                yield number, line


def _skip_line(file: BinaryIO) -> None:
    while (part := file.readline(1 << 20)) and not part.endswith(b"\n"):
        pass


def _first_line(file: BinaryIO, limit: int) -> bytes:
    """Return the first line that is not blank, without the mark of UTF-8."""
    line = file.readline(limit).removeprefix(_MARK)
    while line and not line.strip():
        line = file.readline(limit)
    return line.strip()


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except ValueError:
        return False
