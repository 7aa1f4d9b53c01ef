"""Gathers everything about one subtask: its input, its prompt, its tries, its outcome."""

from dataclasses import dataclass, field
from typing import Any, Literal

from shared.actions.one_rows import StageNotRunnableError
from shared.actions.unit_inputs import unit_at
from shared.actions.unit_prompt import stage_prompt
from shared.capabilities.contract import Unit
from shared.database import subtasks, tables
from shared.database.engine import Connection
from shared.database.stages import StageRecord
from shared.database.subtasks import Holder, KeptAttempt, SettledReplica
from shared.database.tables import TableRecord
from shared.domain.plan import UnitSpec
from shared.tables.store import read_range, rows_of, visible

MOST_BYTES = 16_000_000  # of rows that are read to show a unit, by the mean of its table
MOST_ROWS = 100
Shown = Literal["shown", "none", "erased", "too_large"]


@dataclass(frozen=True, slots=True)
class UnitInput:
    """The rows a unit saw, up to 100 of them; `status` says why there are none."""

    status: Shown
    rows: list[dict[str, Any]] = field(default_factory=list)
    row_count: int = 0
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)
    key: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnitPrompt:
    """The messages of a unit that is asked alone; `status` says why there are none."""

    status: Shown
    system: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Subtask:
    """One unit of one stage. `settled` is empty until it has an outcome."""

    stage: StageRecord
    unit: int
    settled: list[SettledReplica]
    attempts: list[KeptAttempt]
    holders: tuple[Holder, ...]
    input: UnitInput
    prompt: UnitPrompt
    source: TableRecord | None  # the table the stage is over, whose rows lineage names
    others: tuple[TableRecord, ...]  # what a unit over several tables reads besides


def show_subtask(connection: Connection, stage: StageRecord, unit: int) -> Subtask | None:
    """Return the subtask, None when the stage has no such unit (yet)."""
    if not 0 <= unit < (stage.unit_count or 0):
        return None
    spec = UnitSpec.from_json(stage.spec["unit"])
    holders = tuple(subtasks.holders(connection, stage.id, unit))
    over = [tables.find(connection, stage.reads[name]) for name in stage.spec["over"]]
    numbered = tables.find(connection, stage.source_table_id or "")
    found, shown = _unit(connection, stage, spec, numbered, unit, holders)
    return Subtask(
        stage=stage,
        unit=unit,
        settled=subtasks.settled(connection, stage.id, unit),
        attempts=subtasks.attempts(connection, stage.id, unit),
        holders=holders,
        input=shown,
        prompt=_prompt(connection, stage, found, shown.status),
        source=over[0],
        others=tuple(table for table in over[1:] if table is not None),
    )


def _unit(
    connection: Connection, stage: StageRecord, spec: UnitSpec, source: TableRecord | None,
    unit: int, holders: tuple[Holder, ...],
) -> tuple[Unit | None, UnitInput]:  # fmt: skip
    """Return the whole unit, where it is small enough to be held, and what is shown of it."""
    if source is None or source.status not in ("sealed", "open"):
        return None, UnitInput("erased")
    first, count = _place(spec, source, unit, holders)
    if _bytes(source, count) > MOST_BYTES or (spec.kind == "table" and not stage.spec["input"]):
        part = read_range(connection, source, first, min(count, MOST_ROWS)).rows
        rows = rows_of(visible(part, source.columns))
        return None, UnitInput("shown", rows, row_count=count)
    found = unit_at(connection, spec, source, unit, (first, count))
    if found is None:
        return None, UnitInput("none")
    return found, UnitInput(
        "shown", found.rows[:MOST_ROWS], len(found.rows), found.before, found.after, found.key
    )


def _place(
    spec: UnitSpec, source: TableRecord, unit: int, holders: tuple[Holder, ...]
) -> tuple[int, int]:
    """Return among which rows of its source table the unit lies: first row, count."""
    if spec.kind == "rows":
        first = unit * spec.size
        return first, max(0, min(spec.size, source.row_count - first))
    if spec.kind == "table" or not holders:
        return 0, source.row_count
    return holders[-1].first_row, holders[-1].row_count


def _bytes(source: TableRecord, rows: int) -> int:
    memory_bytes = (source.statistics or {}).get("memory_bytes", 0)
    return int(memory_bytes / max(1, source.row_count) * rows)


def _prompt(
    connection: Connection, stage: StageRecord, unit: Unit | None, rows: Shown
) -> UnitPrompt:
    try:
        prompt = stage_prompt(connection, stage)
    except (LookupError, StageNotRunnableError):
        return UnitPrompt("erased")
    if prompt is None:
        return UnitPrompt("none")
    if unit is None:
        return UnitPrompt("too_large" if rows == "shown" else rows, prompt.system)
    return UnitPrompt("shown", prompt.system, prompt.user(unit))
