"""Tables of one row a stage's templates quote, and the instructions rendered with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.database import tables
from shared.database.engine import Connection
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.stage import StageSpec
from shared.plans.render import render, to_text
from shared.prompts.marking import marked
from shared.tables.store import read_range, rows_of, visible


class StageNotRunnableError(RuntimeError):
    """The stage cannot run here; `code` and text become the outcome of its units."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class OneRows:
    """`rows` by the name templates use; `instructions` is the stage's own, rendered."""

    rows: Mapping[str, dict[str, Any]]
    instructions: str | None


def one_rows_of(connection: Connection, record: StageRecord, spec: StageSpec) -> OneRows:
    """Read what a stage quotes; raise LookupError, or StageNotRunnableError for many rows."""
    rows, told = {}, {}
    for name, table_id in record.reads.items():
        if name not in spec.over:
            table = table_of(connection, table_id, record)
            rows[name] = _one_row(connection, name, table)
            told[name] = _told(table, rows[name])
    instructions = render(spec.instructions, [], False, {}, told) if spec.instructions else None
    return OneRows(rows, instructions)


def table_of(connection: Connection, table_id: str, stage: StageRecord) -> TableRecord:
    """Return a table the stage may read; raise LookupError when it is not there or not ready."""
    found = tables.find(connection, table_id)
    readable = ("sealed", "open") if stage.streams else ("sealed",)
    if found is None or found.status not in readable:
        raise LookupError(f"table {table_id} is not sealed")
    return found


def _one_row(connection: Connection, name: str, table: TableRecord) -> dict[str, Any]:
    if table.row_count != 1:
        raise StageNotRunnableError(
            "not_one_row",
            f"The template reads a column of table {name}, which has {table.row_count} rows; "
            "only a table of one row can be read so.",
        )
    return rows_of(visible(read_range(connection, table, 0, 1).rows, table.columns))[0]


def _told(table: TableRecord, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row as instructions may quote it: as data, unless the plan itself wrote it."""
    if table.kind == "literal":
        return row
    return {name: None if value is None else marked(to_text(value)) for name, value in row.items()}
