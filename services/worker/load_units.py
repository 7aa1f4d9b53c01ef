"""Fetches the rows of a shard and parts them into units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.worker.stage_run import StageRun
from shared.capabilities.contract import Columns, TableHandle, Unit
from shared.database.engine import DBAPIError, Engine, PoolTimeout, is_transient
from shared.database.shards import ShardRecord
from shared.database.tables import TableRecord
from shared.domain.group_key import group_key
from shared.tables.store import read_range, rows_of, visible, visible_batches


@dataclass(frozen=True, slots=True)
class LoadedUnit:
    """A unit and where it came from: `source` lists runs [first row, count] of the input table.

    `source` is None where the unit's number says it (row units and whole tables). `missing`
    counts rows that would belong to the unit, had their own units in the stage before succeeded.
    """

    unit: Unit
    source: list[list[int]] | None = None
    missing: int = 0


def load_units(
    engine: Engine, run: StageRun, shard: ShardRecord, wanted: Sequence[int]
) -> list[LoadedUnit]:
    """Return the wanted units (ascending numbers), each with its own rows and context only."""
    if run.reads_tables:
        handles: dict[str, TableHandle] = {
            name: _Handle(engine, table) for name, table in run.over.items()
        }
        missing = _missing(run, ())
        return [
            LoadedUnit(Unit(index=unit, rows=[], tables=handles), missing=missing)
            for unit in wanted
        ]
    if run.spec.unit.kind == "group":
        return list(_groups(engine, run, shard, set(wanted)))
    return list(_rows(engine, run, shard, wanted))


class UnitTooLargeError(ValueError):
    """The single unit of a shard has more input than one unit may have."""

    code = "unit_too_large"


def check_unit_size(run: StageRun, shard: ShardRecord, unit_max_bytes: int) -> None:
    """Raise UnitTooLargeError before the rows of a huge unit are fetched.

    Judged by the mean row of its table. A shard of several units is bounded when it is cut, and
    whole tables are read batch by batch where the capability asks for handles.
    """
    memory_bytes = (run.source.statistics or {}).get("memory_bytes", 0)
    expected = int(memory_bytes / max(1, run.source.row_count) * shard.row_count)
    if shard.unit_count == 1 and not run.reads_tables and expected > unit_max_bytes:
        raise UnitTooLargeError(
            f"about {expected} bytes of input; one unit may have {unit_max_bytes} "
            "(APWA_UNIT_MAX_BYTES)"
        )


class DatabaseAwayError(RuntimeError):
    """Postgres did not answer a capability that reads a table: tried again, at no attempt."""

    code = "database_away"
    transient = decided = True
    burns = False
    retry_after_s = 2.0


class _Handle:
    """A whole table a capability reads batch by batch."""

    def __init__(self, engine: Engine, table: TableRecord) -> None:
        self._engine, self._table = engine, table
        self.columns: Columns = [column.to_json() for column in table.columns]

    def batches(self) -> Iterator[Any]:
        """Yield the declared columns in row order; raises DatabaseAwayError when Postgres is."""
        try:
            yield from visible_batches(self._engine, self._table)
        except (DBAPIError, PoolTimeout) as error:
            if not is_transient(error):
                raise
            raise DatabaseAwayError(f"a table could not be read: {type(error).__name__}") from error


def _rows(
    engine: Engine, run: StageRun, shard: ShardRecord, wanted: Sequence[int]
) -> Iterator[LoadedUnit]:
    spec = run.spec.unit
    size = spec.size if spec.kind == "rows" else max(1, run.source.row_count)
    first = shard.first_row - spec.overlap
    with engine.connect() as connection:
        found = read_range(
            connection, run.source, first, shard.row_count + (shard.first_row - first)
            + spec.overlap,
        )  # fmt: skip
    rows = rows_of(visible(found.rows, run.source.columns))
    for unit in wanted:
        start = unit * size - found.first_row
        end = min(start + size, run.source.row_count - found.first_row)
        yield LoadedUnit(
            Unit(
                index=unit,
                rows=rows[start:end],
                before=rows[max(0, start - spec.overlap) : start],
                after=rows[end : end + spec.overlap],
            ),
            missing=_missing(run, ()) if spec.kind == "table" else 0,
        )


def _groups(
    engine: Engine, run: StageRun, shard: ShardRecord, wanted: set[int]
) -> Iterator[LoadedUnit]:
    with engine.connect() as connection:
        found = read_range(connection, run.source, shard.first_row, shard.row_count)
    numbers: list[Any] = found.rows.column("_unit").to_pylist()
    origins: list[Any] = found.rows.column("_row").to_pylist()
    start = 0
    while start < len(numbers):
        unit, end = numbers[start], start
        while end < len(numbers) and numbers[end] == unit:
            end += 1
        if unit in wanted:
            part = visible(found.rows.slice(start, end - start), run.source.columns)
            rows = rows_of(part)
            key = {name: rows[0][name] for name in run.spec.unit.group_by}
            yield LoadedUnit(
                Unit(index=unit, rows=rows, key=key),
                _runs(origins[start:end]),
                _missing(run, tuple(key.values())),
            )
        start = end


def _missing(run: StageRun, key: tuple[Any, ...]) -> int:
    return (run.record.missing or {}).get(group_key(key), 0)


def _runs(rows: list[int]) -> list[list[int]]:
    """Return row numbers as runs [first, count], in order."""
    runs: list[list[int]] = []
    for row in rows:
        if runs and runs[-1][0] + runs[-1][1] == row:
            runs[-1][1] += 1
        else:
            runs.append([row, 1])
    return runs
