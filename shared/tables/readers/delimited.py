"""Reads csv and its relatives; broken lines are counted and told, never fatal."""

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shared.tables.readers.charset import charset_of
from shared.tables.readers.csv_dialect import Dialect, detect_dialect
from shared.tables.readers.csv_types import CsvTypes
from shared.tables.readers.lines import Lines
from shared.tables.readers.records import Tally, nothing_readable, unreadable
from shared.tables.readers.source import Source, Table

_SAMPLE_CHARS = 1 << 20
_BLOCK_ROWS = 5_000
_BLOCK_CHARS = 512 << 10


def read_csv(source: Source) -> Table:
    """Read the file once for its layout and types; the batches read it again."""
    if source.path.stat().st_size == 0:
        raise unreadable("the file is empty")
    csv.field_size_limit(source.limits.row_bytes)
    charset = charset_of(source.path)
    dialect = detect_dialect(_sample(source, charset))
    if dialect is None:
        raise unreadable("the file holds no rows")
    width = len(dialect.names)
    if width > source.limits.max_columns:
        raise unreadable(
            f"{width} columns are more than {source.limits.max_columns}", "too_many_columns"
        )
    types, first_look = CsvTypes(width), Tally()
    rows = 0
    for arrays in _blocks(source, charset, dialect, first_look):
        rows += len(arrays[0])
        types.add(arrays)
    if not rows and first_look.unreadable:
        raise nothing_readable(first_look)
    tally = Tally()
    batches = (
        types.batch(dialect.names, arrays) for arrays in _blocks(source, charset, dialect, tally)
    )
    plain = charset.removesuffix("-sig")
    return Table(types.columns(dialect.names), batches, tally, plain, dialect.to_json())


def _sample(source: Source, charset: str) -> str:
    with source.path.open(encoding=charset, errors="apwa.broken", newline="") as text:
        sample = text.read(_SAMPLE_CHARS)
        if text.read(1):  # the last line is cut
            sample = sample[: sample.rfind("\n") + 1] or sample
    return sample


def _blocks(source: Source, charset: str, dialect: Dialect, tally: Tally) -> Iterator[list[Any]]:
    """Yield the rows column by column as text arrays, some thousand rows at a time."""
    with ExitStack() as stack:
        text = stack.enter_context(
            source.path.open(encoding=charset, errors="apwa.broken", newline="")
        )
        lines = Lines(text, charset, source.limits.row_bytes)
        lines.skip(dialect.header_lines)
        block: list[list[str]] = []
        chars = 0
        for row in _rows(lines, dialect, tally):
            block.append(row)
            chars += lines.size
            if len(block) >= _BLOCK_ROWS or chars >= _BLOCK_CHARS:
                yield _arrays(block)
                block, chars = [], 0
        if block:
            yield _arrays(block)


def _rows(lines: Lines, dialect: Dialect, tally: Tally) -> Iterator[list[str]]:
    """Yield the good rows. A blank line is no row."""
    reader = csv.reader(lines, **dialect.options())
    width = len(dialect.names)
    while True:
        lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault: str | None = str(error)
        else:
            fault = lines.fault
            if fault is None and len(row) == width:
                yield row
                continue
            if fault is None and row:
                fault = f"{len(row)} fields instead of {width}"
        if fault is not None:
            tally.miss(lines.first, fault)
            lines.take_back()


def _arrays(block: list[list[str]]) -> list[Any]:
    return [_nulled(pa.array(column, pa.string())) for column in zip(*block, strict=True)]


def _nulled(array: Any) -> Any:
    return pc.if_else(pc.equal(array, pa.scalar("")), pa.scalar(None, pa.string()), array)
