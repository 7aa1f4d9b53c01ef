"""Where the groups of an arrangement begin and end."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.database.engine import Engine
from shared.database.tables import TableRecord
from shared.tables.store import batches, units_of


@dataclass(frozen=True, slots=True)
class UnitRun:
    """One group: rows [first_row, first_row + row_count) of the arrangement."""

    unit: int
    first_row: int
    row_count: int


def unit_runs(engine: Engine, arrangement: TableRecord) -> Iterator[UnitRun]:
    """Yield the groups in order; memory does not grow with their number."""
    unit, first_row, row = -1, 0, 0
    for batch in batches(engine, arrangement):
        for number in units_of(batch):
            if number != unit:
                if row > first_row:
                    yield UnitRun(unit, first_row, row - first_row)
                unit, first_row = number, row
            row += 1
    if row > first_row:
        yield UnitRun(unit, first_row, row - first_row)
