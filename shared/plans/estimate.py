"""How many rows each table will have and how long its texts are: low, expected, high."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain.columns import Column
from shared.domain.plan import Plan, StagePlan
from shared.plans.columns import Resolution, emits, kept_columns
from shared.plans.facts import PlanFacts, TableFacts
from shared.plans.order import stage_order
from shared.plans.render import to_text

UNKNOWN_CHARS = 200.0  # of a text nothing is known about
UNKNOWN_ROWS = 1_000  # of a stream that is still open: expected; high is 100 times that
UNKNOWN_FAN_OUT = (1.0, 5.0, 50.0)  # rows per unit where a stage emits many
_SPLIT_CHARS = {"sentence": 120.0, "paragraph": 500.0}
_SECTION_CHARS = 5_000.0
_SENTENCE_CHARS = 120.0
_CHARS_PER_TYPE = {"integer": 6, "number": 8, "boolean": 5, "date": 10, "timestamp": 20}


@dataclass(frozen=True, slots=True)
class Range:
    """A count as ``low <= expected <= high``."""

    low: int
    expected: int
    high: int

    @staticmethod
    def exactly(value: int) -> "Range":
        """Return the range of a known count."""
        return Range(value, value, value)

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(
        self, low: float, expected: float | None = None, high: float | None = None
    ) -> "Range":
        """Multiply each end by its own factor, rounded up; one factor serves all three."""
        factors = (low, low if expected is None else expected, low if high is None else high)
        ends = (self.low, self.expected, self.high)
        return Range(*(math.ceil(end * factor) for end, factor in zip(ends, factors, strict=True)))

    def to_json(self) -> dict[str, int]:
        """Return ``{"low", "expected", "high"}``."""
        return {"low": self.low, "expected": self.expected, "high": self.high}


@dataclass(frozen=True, slots=True)
class TableEstimate:
    """Rows of a table, mean characters per column, distinct values per column where known."""

    rows: Range
    chars: Mapping[str, float]
    distinct: Mapping[str, int] = field(default_factory=dict)

    @property
    def row_chars(self) -> float:
        """Mean characters of a row as JSON, names included."""
        return sum(self.chars.values()) + sum(len(name) + 6 for name in self.chars)


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """A stage's units, the rows all of them see (overlap counted again), the rows of one."""

    units: Range
    rows_seen: Range
    rows_per_unit: float
    source: TableEstimate


def estimate(plan: Plan, facts: PlanFacts, resolution: Resolution) -> dict[str, StageEstimate]:
    """Return the estimate of every stage whose input is known, by name."""
    tables = {name: _input(table) for name, table in facts.tables.items()}
    for name, rows in plan.tables.items():
        columns = resolution.columns[name]
        tables.setdefault(name, _input(TableFacts(columns, len(rows), samples=rows)))
    stages: dict[str, StageEstimate] = {}
    by_name = {stage.name: stage for stage in plan.stages}
    for name in stage_order(plan):
        stage = by_name[name]
        if stage.over[0] in tables and name not in tables:
            stages[name] = _stage(stage, tables[stage.over[0]])
            tables[name] = _output(stage, stages[name], tables, facts, resolution)
    return stages


def _input(table: TableFacts) -> TableEstimate:
    known = table.rows is not None
    rows = Range.exactly(table.rows or 0) if known else Range(0, UNKNOWN_ROWS, 100 * UNKNOWN_ROWS)
    chars = {column.name: _mean_chars(table, column) for column in table.columns}
    distinct = dict(table.distinct)
    if table.key is not None and table.rows is not None:
        distinct[table.key] = table.rows
    return TableEstimate(rows, chars, distinct)


def _mean_chars(table: TableFacts, column: Column) -> float:
    if column.name in table.mean_chars:
        return table.mean_chars[column.name]
    if table.samples:
        lengths = [len(to_text(row.get(column.name))) for row in table.samples]
        return sum(lengths) / len(lengths)
    return float(_CHARS_PER_TYPE.get(column.type, UNKNOWN_CHARS))


def _stage(stage: StagePlan, source: TableEstimate) -> StageEstimate:
    units = _units(stage, source)
    unit = stage.unit
    if unit.kind == "rows":
        window = unit.size + 2 * unit.overlap
        return StageEstimate(units, source.rows.times(window / unit.size), window, source)
    rows_per_unit = source.rows.expected / max(1, units.expected)
    return StageEstimate(units, source.rows, rows_per_unit, source)


def _units(stage: StagePlan, source: TableEstimate) -> Range:
    rows = source.rows
    if stage.unit.kind == "table":
        return Range.exactly(1)
    if stage.unit.kind == "rows":
        return rows.times(1 / stage.unit.size)
    distinct = [source.distinct.get(name) for name in stage.unit.group_by]
    known = [count for count in distinct if count is not None]
    if len(known) == len(distinct):
        product = math.prod(known)
        low = min(rows.low, max(known))
        high = min(rows.high, product)
        return Range(low, max(low, min(rows.expected, product)), max(low, high))
    low = min(rows.low, max([1, *known]))
    expected = min(rows.expected, max(low, math.isqrt(rows.expected)))
    return Range(low, max(low, expected), max(low, expected, rows.high))


def _output(
    stage: StagePlan,
    made: StageEstimate,
    tables: Mapping[str, TableEstimate],
    facts: PlanFacts,
    resolution: Resolution,
) -> TableEstimate:
    manifest = facts.capabilities.get(stage.capability)
    reads = manifest is not None and manifest.reads == "tables"
    rows = made.units
    if reads:
        rows = _query_rows(stage, tables)
    elif emits(stage, manifest) == "many":
        rows = made.units.times(*_fan_out(stage, made.source))
    columns = resolution.columns.get(stage.over[0], ())
    keys = resolution.keys.get(stage.over[0], ())
    kept = kept_columns(stage, columns, keys, reads_tables=reads)
    chars = {column.name: _own_chars(stage, column, made) for column in _own(stage, resolution)}
    distinct: dict[str, int] = {}
    for column, mode in kept:
        several = made.rows_per_unit if mode == "list" else 1.0
        chars[column.name] = made.source.chars.get(column.name, UNKNOWN_CHARS) * several
        if mode == "value" and column.name in made.source.distinct:
            distinct[column.name] = made.source.distinct[column.name]
    return TableEstimate(rows, chars, distinct)


def _own(stage: StagePlan, resolution: Resolution) -> list[Column]:
    own = resolution.outputs.get(stage.name, {}).get("properties", {})
    return [column for column in resolution.columns.get(stage.name, ()) if column.name in own]


def _query_rows(stage: StagePlan, tables: Mapping[str, TableEstimate]) -> Range:
    inputs = [tables[name].rows for name in stage.over if name in tables]
    largest = max(rows.expected for rows in inputs)
    return Range(0, largest, max(10 * largest, sum(rows.high for rows in inputs)))


def _fan_out(stage: StagePlan, source: TableEstimate) -> tuple[float, float, float]:
    if stage.capability != "split":
        return UNKNOWN_FAN_OUT
    text = source.chars.get(str(stage.params.get("field")), UNKNOWN_CHARS)
    pieces = max(1.0, text / _piece_chars(stage.params))
    if stage.params.get("by") == "tokens":
        return 1.0, pieces, max(1.0, 2 * pieces)
    return 1.0, pieces, max(UNKNOWN_FAN_OUT[2], 10 * pieces)


def _piece_chars(params: Mapping[str, Any]) -> float:
    size = params.get("size", 1)
    size = size if isinstance(size, int) and size > 0 else 1
    if params.get("by") == "tokens":
        return 4.0 * size
    return size * _SPLIT_CHARS.get(str(params.get("by")), _SECTION_CHARS)


def _own_chars(stage: StagePlan, column: Column, made: StageEstimate) -> float:
    source, params = made.source, stage.params
    if column.name == params.get("field"):
        return source.chars.get(column.name, UNKNOWN_CHARS)
    if stage.capability == "split" and column.name == "text":
        text = source.chars.get(str(params.get("field")), UNKNOWN_CHARS)
        return min(text, _piece_chars(params))
    if stage.capability == "summarize":
        sentences = params.get("sentences", 3)
        return _SENTENCE_CHARS * (sentences if isinstance(sentences, int) else 3)
    if stage.capability == "sql":
        return source.chars.get(column.name, UNKNOWN_CHARS / 4)
    return float(_CHARS_PER_TYPE.get(column.type, UNKNOWN_CHARS))
