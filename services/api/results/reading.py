"""Reads rows from a position on, in bounded pieces, each in a transaction of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from services.api.results.choice import LINEAGE_COLUMN, Chosen, Order, with_present_source
from services.api.results.lineage import InputRows, lineage
from shared.database import result_pages
from shared.database.engine import Connection, Engine
from shared.database.result_pages import SettledUnit
from shared.tables.store import read_range, rows_of, visible

UNITS_AT_ONCE = 200
BYTES_AT_ONCE = 4_000_000
ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Position:
    """The next row to read: row `skip` of unit `unit` (of the shard noted as `no`), or row `unit`.

    In the order ``row`` only `unit` is used, and counts rows of the sealed table.
    """

    order: Order
    no: int = 0
    unit: int = 0
    skip: int = 0


Row = tuple[dict[str, Any], Position]


def rows_from(engine: Engine, chosen: Chosen, start: Position) -> Iterator[Row]:
    """Yield each row with the position after it, up to what is there now."""
    position = start
    while True:
        with engine.connect() as connection:
            piece, after = _piece(connection, chosen, position)
        yield from piece
        if after is None:
            return
        position = after


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows; `more` is there now after `after`, and more may come there until `ended`."""

    rows: list[dict[str, Any]]
    after: Position
    more: bool
    ended: bool


def page_of(engine: Engine, chosen: Chosen, start: Position, limit: int) -> Page:
    """Return up to `limit` rows from a position on."""
    rows = rows_from(engine, chosen, start)
    taken = list(islice(rows, limit))
    more = next(rows, None) is not None
    return Page(
        rows=[row for row, _ in taken],
        after=taken[-1][1] if taken else start,
        more=more,
        ended=chosen.ended and not more,
    )


def _piece(
    connection: Connection, chosen: Chosen, position: Position
) -> tuple[list[Row], Position | None]:
    """Return some rows from a position on, and where to go on; None at the present end."""
    if chosen.stage is None:
        return [], None
    if position.order == "row":
        return _table_piece(connection, chosen, position)
    if position.order == "unit":
        return _unit_piece(connection, chosen, position)
    return _noted_piece(connection, chosen, position)


def _table_piece(
    connection: Connection, chosen: Chosen, position: Position
) -> tuple[list[Row], Position | None]:
    table = chosen.output
    if table is None or position.unit >= table.row_count:
        return [], None
    found = read_range(connection, table, position.unit, ROWS_AT_ONCE)
    rows = rows_of(visible(found.rows, table.columns))
    first = position.unit
    piece = [(row, Position("row", unit=first + nth + 1)) for nth, row in enumerate(rows)]
    return piece, Position("row", unit=first + len(rows)) if rows else None


def _unit_piece(
    connection: Connection, chosen: Chosen, position: Position
) -> tuple[list[Row], Position | None]:
    if chosen.stage is None:
        return [], None
    units = result_pages.in_unit_order(
        connection, chosen.stage.id, position.unit, chosen.outcomes,
        limit=UNITS_AT_ONCE, max_bytes=BYTES_AT_ONCE,
    )  # fmt: skip
    if not units:
        return [], None
    rows = _rows_of_units(connection, chosen, units, position)
    return rows, Position("unit", unit=units[-1].unit + 1)


def _noted_piece(
    connection: Connection, chosen: Chosen, position: Position
) -> tuple[list[Row], Position | None]:
    """Read on in the shard of the position; at its end, go to the next noted one that has any."""
    if chosen.stage is None:
        return [], None
    shards = result_pages.noted_shards(
        connection, chosen.stage.id, position.no,
        limit=UNITS_AT_ONCE, only_with_failures=chosen.wanted.outcome == "failed",
    )  # fmt: skip
    for shard in shards:
        here = position if shard.noted_no == position.no else Position("noted", no=shard.noted_no)
        units = result_pages.of_shard(
            connection, shard.id, here.unit, chosen.outcomes,
            limit=UNITS_AT_ONCE, max_bytes=BYTES_AT_ONCE,
        )  # fmt: skip
        if units:
            rows = _rows_of_units(connection, chosen, units, here)
            return rows, replace(here, unit=units[-1].unit + 1, skip=0)
    if len(shards) == UNITS_AT_ONCE:
        return [], Position("noted", no=shards[-1].noted_no + 1)
    return [], None


def _rows_of_units(
    connection: Connection, chosen: Chosen, units: list[SettledUnit], start: Position
) -> list[Row]:
    chosen = with_present_source(connection, chosen)
    inputs = InputRows(connection, chosen.source)
    found: list[Row] = []
    for unit in units:
        skip = start.skip if unit.unit == start.unit else 0
        rows = _in_column_order(chosen, unit)
        told = lineage(chosen, unit, inputs) if chosen.wanted.with_lineage and rows else None
        for nth, row in enumerate(rows[skip:], skip + 1):
            after = replace(start, unit=unit.unit, skip=nth)
            if nth == len(rows):
                after = replace(start, unit=unit.unit + 1, skip=0)
            found.append((row if told is None else {**row, LINEAGE_COLUMN: told}, after))
    return found


def _in_column_order(chosen: Chosen, unit: SettledUnit) -> list[dict[str, Any]]:
    """Return a unit's rows as its stage's table will have them (jsonb forgets the order of names).

    A unit that did not succeed has one row without columns, for its lineage.
    """
    if unit.outcome != "succeeded" or chosen.stage is None:
        return [{}]
    names = [column.name for column in chosen.stage.columns]
    return [{name: row.get(name) for name in names} for row in unit.output or []]
