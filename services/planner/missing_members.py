"""Counts the members a group lacks because their own units failed in the stage before."""

from collections import Counter

from shared.database import results, stages, tables
from shared.database.engine import Connection, Engine
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.group_key import group_key
from shared.domain.plan import UnitSpec
from shared.domain.stage import StageSpec
from shared.tables.store import read_range, rows_of, visible

UNITS_IN_ONE_READ = 500


def missing_members(engine: Engine, stage: StageRecord) -> dict[str, int]:
    """Return how many members are missing by `group_key`, groups that lack none left out.

    Told for a unit over a whole table, and for groups by columns that single-row units carried
    over from their input: elsewhere nobody can say which group a failed unit would be in.
    """
    unit = UnitSpec.from_json(stage.spec["unit"])
    over = stage.reads[stage.spec["over"][0]]
    with engine.connect() as connection:
        before = stages.of_output(connection, over)
        if before is None or before.failed == 0 or unit.kind == "rows":
            return {}
        if unit.kind == "table":
            return {group_key(()): before.failed}
        if not _carries(before, unit):
            return {}
        source = tables.find(connection, before.source_table_id or "")
        return dict(_count(connection, before, source, unit)) if source else {}


def _carries(before: StageRecord, unit: UnitSpec) -> bool:
    spec = StageSpec.from_json(before.spec)
    carried = {kept.name for kept in spec.kept if kept.mode == "value"}
    return spec.unit.single_row and carried.issuperset(unit.group_by)


def _count(
    connection: Connection, before: StageRecord, source: TableRecord, unit: UnitSpec
) -> Counter[str]:
    counts: Counter[str] = Counter()
    after = -1
    while failed := results.failed_after(connection, before.id, after, UNITS_IN_ONE_READ):
        after = failed[-1]
        for number in failed:  # a single-row unit is the row of its number
            found = read_range(connection, source, number, 1).rows
            row = rows_of(visible(found, source.columns))[0]
            counts[group_key([row[name] for name in unit.group_by])] += 1
    return counts
