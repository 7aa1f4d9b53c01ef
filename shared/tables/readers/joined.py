"""Several tables as one: columns joined by name, and one more that says where a row comes from."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from shared.domain.columns import Column, ColumnType
from shared.tables.arrow import batch_to_rows, rows_to_batch
from shared.tables.child_process import ChildFailedError
from shared.tables.readers.csv_dialect import unique_names
from shared.tables.readers.parts import Part
from shared.tables.readers.records import MAX_SAMPLES, Tally, nothing_readable, unreadable
from shared.tables.readers.source import Table

_MEMBER = "member"


def joined_table(
    parts: Sequence[tuple[Part, Callable[[], Table]]], tally: Tally, most_columns: int
) -> Table:
    """Return the rows of all parts, ``member`` naming the file of each; lacking cells are null.

    Integers beside numbers become numbers, other types beside each other text, or json where one
    is. A part that cannot be read is counted; more than `most_columns` of all are refused.
    """
    opened = []
    for part, open_ in parts:
        try:
            opened.append((part, open_()))
        except ChildFailedError as error:
            tally.miss(part.number, f"{part.name}: {error.detail}")
    if not opened:
        raise nothing_readable(tally)
    types: dict[str, ColumnType] = {}
    for _, table in opened:
        for column in table.columns:
            types[column.name] = _common(types.get(column.name, column.type), column.type)
    if len(types) > most_columns:
        raise unreadable(f"more than {most_columns} columns together", "too_many_columns")
    member = unique_names([*types, _MEMBER])[-1]
    columns = (
        Column(member, "string"), *(Column(name, type_) for name, type_ in types.items())
    )  # fmt: skip
    return Table(columns, _batches(opened, columns, tally), tally)


def _common(one: ColumnType, other: ColumnType) -> ColumnType:
    if one == other:
        return one
    if {one, other} == {"integer", "number"}:
        return "number"
    return "json" if "json" in (one, other) else "string"


def _batches(
    opened: list[tuple[Part, Table]], columns: tuple[Column, ...], tally: Tally
) -> Iterator[Any]:
    texts = {column.name for column in columns[1:] if column.type == "string"}
    for part, table in opened:
        texts_here = texts & {column.name for column in table.columns if column.type != "string"}
        for batch in table.batches:
            rows = batch_to_rows(batch)
            for row in rows:
                row[columns[0].name] = part.name
                for name in texts_here:
                    row[name] = _as_text(row[name])
            yield rows_to_batch(rows, columns)
        _add(tally, part, table.tally)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _add(tally: Tally, part: Part, own: Tally) -> None:
    for sample in own.samples:
        tally.miss(sample.line, f"{part.name}: {sample.reason}")
    tally.unreadable += own.unreadable - min(own.unreadable, len(own.samples), MAX_SAMPLES)
