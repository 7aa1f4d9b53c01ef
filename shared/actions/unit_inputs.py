"""The units of a stage as they were handed out, read again from the tables they came from."""

from collections.abc import Iterator
from typing import Any

from shared.capabilities.contract import Unit
from shared.database.engine import Connection, Engine
from shared.database.tables import TableRecord
from shared.domain.plan import UnitSpec
from shared.tables.arrow import batch_to_rows
from shared.tables.store import batches, read_range, rows_of, units_of, visible

BLOCK_BYTES = 4_000_000  # of rows that are held at once, by their mean
MOST_ROWS_OF_BLOCK = 500


def unit_at(
    connection: Connection, spec: UnitSpec, source: TableRecord, unit: int, rows: tuple[int, int]
) -> Unit | None:
    """Return one unit; `rows` are first row and count of `source` among which a group lies."""
    if spec.kind == "rows":
        found = list(_row_units(connection, spec, source, unit, unit + 1))
        return found[0] if found else None
    if spec.kind == "table":
        return Unit(unit, _rows(connection, source, 0, source.row_count))
    part = read_range(connection, source, *rows).rows
    wanted = [at for at, number in enumerate(_numbers(part)) if number == unit]
    if not wanted:
        return None
    lying = part.slice(wanted[0], len(wanted))  # rows of a group lie together
    return _group(spec, unit, rows_of(visible(lying, source.columns)))


def units_in_order(engine: Engine, spec: UnitSpec, source: TableRecord) -> Iterator[Unit]:
    """Yield every unit; holds one block of rows, or one group, and no transaction in between."""
    if spec.kind == "group":
        yield from _groups(engine, spec, source)
        return
    if spec.kind == "table":
        with engine.connect() as connection:
            whole = Unit(0, _rows(connection, source, 0, source.row_count))
        yield whole
        return
    units = -(-source.row_count // spec.size)
    step = _units_of_block(spec, source)
    for first in range(0, units, step):
        with engine.connect() as connection:
            block = list(_row_units(connection, spec, source, first, min(units, first + step)))
        yield from block


def _units_of_block(spec: UnitSpec, source: TableRecord) -> int:
    memory_bytes = (source.statistics or {}).get("memory_bytes", 0)
    row_bytes = max(1, memory_bytes // max(1, source.row_count))
    rows: int = min(MOST_ROWS_OF_BLOCK, BLOCK_BYTES // row_bytes)
    return max(1, rows // spec.size)


def _row_units(
    connection: Connection, spec: UnitSpec, source: TableRecord, first: int, end: int
) -> Iterator[Unit]:
    before = min(spec.overlap, first * spec.size)
    start = first * spec.size - before
    count = (end - first) * spec.size + before + spec.overlap
    rows = _rows(connection, source, start, count)
    for unit in range(first, end):
        low = before + (unit - first) * spec.size
        high = low + spec.size
        own = rows[low:high]
        if own:
            context = rows[max(0, low - spec.overlap) : low], rows[high : high + spec.overlap]
            yield Unit(unit, own, *context)


def _groups(engine: Engine, spec: UnitSpec, source: TableRecord) -> Iterator[Unit]:
    names = [column.name for column in source.columns]
    unit: int | None = None
    rows: list[dict[str, Any]] = []
    for batch in batches(engine, source):
        told = batch_to_rows(batch.select(names))
        for number, row in zip(units_of(batch), told, strict=True):
            if unit is not None and number != unit:
                yield _group(spec, unit, rows)
                rows = []
            unit = number
            rows.append(row)
    if unit is not None:
        yield _group(spec, unit, rows)


def _group(spec: UnitSpec, unit: int, rows: list[dict[str, Any]]) -> Unit:
    return Unit(unit, rows, key={name: rows[0][name] for name in spec.group_by})


def _rows(
    connection: Connection, source: TableRecord, first: int, count: int
) -> list[dict[str, Any]]:
    return rows_of(visible(read_range(connection, source, first, count).rows, source.columns))


def _numbers(part: Any) -> list[int]:
    found: list[int] = part.column("_unit").to_pylist()
    return found
