"""Where a row comes from: stage, unit, source rows, attempt."""

from collections import OrderedDict
from typing import Any

from services.api.results.choice import Chosen
from shared.database.engine import Connection
from shared.database.result_pages import SettledUnit
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.plan import UnitSpec
from shared.tables.store import read_range, rows_of, visible

MOST_INPUT_ROWS = 100
_BLOCK_ROWS = 500
_BLOCKS_KEPT = 8


def lineage(chosen: Chosen, unit: SettledUnit, inputs: "InputRows") -> dict[str, Any]:
    """Return `_apwa` of every row of a unit."""
    stage, source = chosen.stage, chosen.source
    if stage is None or source is None:
        raise LookupError("a settled unit without a stage or an input table")
    runs = source_rows(stage, source, unit.unit, unit.source)
    told: dict[str, Any] = {
        "stage": stage.name,
        "unit": unit.unit,
        "source": {"table": source.id, "name": source.name, "rows": runs},
        "attempt": unit.attempt,
    }
    if chosen.others:
        told["sources"] = [told["source"], *(whole(table) for table in chosen.others)]
    if unit.missing:
        told["missing"] = unit.missing
    if unit.outcome != "succeeded":
        told |= {"outcome": unit.outcome, "code": unit.code, "detail": unit.detail}
    if "input" in chosen.wanted.include:
        told["input"] = inputs.of(runs)
        told["input_rows"] = sum(count for _, count in runs)
    return told


def whole(table: TableRecord) -> dict[str, Any]:
    """Return a table that was read as a whole, as one source of many."""
    return {"table": table.id, "name": table.name, "rows": [[0, table.row_count]]}


def source_rows(
    stage: StageRecord, source: TableRecord, unit: int, told: list[list[int]] | None
) -> list[list[int]]:
    """Return runs [first row, count] of the input table: those told, or what the number says."""
    if told is not None:
        return told
    spec = UnitSpec.from_json(stage.spec["unit"])
    if spec.kind != "rows":
        return [[0, source.row_count]]
    first = unit * spec.size
    return [[first, max(0, min(spec.size, source.row_count - first))]]


class InputRows:
    """Fetches input rows block by block and keeps a few blocks, since units are neighbours."""

    def __init__(self, connection: Connection, source: TableRecord | None) -> None:
        self._connection, self._source = connection, source
        self._blocks: OrderedDict[int, list[dict[str, Any]]] = OrderedDict()

    def of(self, runs: list[list[int]]) -> list[dict[str, Any]]:
        """Return the first 100 rows of the runs; none of a table that was erased."""
        numbers = (row for first, count in runs for row in range(first, first + count))
        found = [self._row(row) for row, _ in zip(numbers, range(MOST_INPUT_ROWS), strict=False)]
        return [row for row in found if row is not None]

    def _row(self, number: int) -> dict[str, Any] | None:
        block, place = self._block(number // _BLOCK_ROWS), number % _BLOCK_ROWS
        return block[place] if place < len(block) else None

    def _block(self, no: int) -> list[dict[str, Any]]:
        if no in self._blocks:
            self._blocks.move_to_end(no)
            return self._blocks[no]
        if self._source is None:
            raise LookupError("input rows of no table")
        found = read_range(self._connection, self._source, no * _BLOCK_ROWS, _BLOCK_ROWS)
        self._blocks[no] = rows_of(visible(found.rows, self._source.columns))
        if len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return self._blocks[no]
