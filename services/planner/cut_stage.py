"""Cuts the units of an open stage into shards, in bounded transactions."""

from collections.abc import Callable, Iterator
from itertools import islice

from shared.database import shards, stages, tables, workers
from shared.database.engine import Connection, Engine, retrying
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.pilot import around
from shared.domain.plan import UnitSpec
from shared.domain.shard import ShardRange, cut_rows, shard_size
from shared.log import get_logger
from shared.seams import reach
from shared.settings import Settings
from shared.tables.unit_runs import UnitRun, unit_runs


def cut_stage(
    engine: Engine, settings: Settings, stage: StageRecord, *,
    after_batch: Callable[[], None], lost: Callable[[], bool],
) -> None:  # fmt: skip
    """Write pending shards from where cutting stopped, `cut_batch_shards` in a transaction.

    Work begins while the rest is still being cut: `after_batch` announces each batch.
    """
    with engine.connect() as connection:
        slots = workers.live_slots(connection)
        source = tables.find(connection, stage.source_table_id or "")
    if source is None or stage.unit_count is None:
        raise LookupError(f"stage {stage.name} has no source table")
    if source.status == "open":
        return  # `cut_stream` cuts it while records come
    size = shard_size(
        stage.unit_count, slots, most=settings.shard_max_units, forced=settings.shard_size
    )
    ranges = _ranges(engine, settings, stage, source, size)
    cut = stage.cut_units
    while not lost() and (batch := list(islice(ranges, settings.cut_batch_shards))):
        end = batch[-1].first_unit + batch[-1].unit_count
        if not retrying(engine, _write(stage, batch, cut, end)):
            return  # another planner cuts this stage: its cursor moved
        cut = end
        reach("planner_mid_cut")
        after_batch()
    # The units after the last shard were piloted; or all had been cut when its stream was sealed.
    if not lost() and (cut < stage.unit_count or cut == stage.cut_units):
        retrying(engine, lambda tx: stages.note_cut(tx, stage.id, cut, stage.unit_count or 0))
    get_logger(job_id=stage.job_id, stage=stage.name).info("stage_cut", units=cut)


def _write(
    stage: StageRecord, batch: list[ShardRange], cut: int, end: int
) -> Callable[[Connection], bool]:
    def work(tx: Connection) -> bool:
        if not stages.note_cut(tx, stage.id, cut, end):
            return False
        shards.insert_cut(tx, stage.id, stage.job_id, stage.capability, stage.queue, batch)
        return True

    return work


def _ranges(
    engine: Engine, settings: Settings, stage: StageRecord, source: TableRecord, size: int
) -> Iterator[ShardRange]:
    unit = UnitSpec.from_json(stage.spec["unit"])
    bytes_per_row = (source.statistics or {}).get("memory_bytes", 0) / max(1, source.row_count)
    pilot = stage.pilot_units or []
    if unit.kind == "table":
        yield from around([ShardRange(0, 0, 1, 0, source.row_count)], pilot, source.row_count)
    elif unit.kind == "rows":
        ranges = cut_rows(
            unit, source.row_count, size, from_unit=stage.cut_units,
            bytes_per_row=bytes_per_row, max_bytes=settings.shard_max_bytes,
        )  # fmt: skip
        yield from around(ranges, pilot, unit.size)
    else:
        most_rows = max(1, int(settings.shard_max_bytes / max(1.0, bytes_per_row)))
        piloted = set(pilot)
        runs = (
            run
            for run in unit_runs(engine, source)
            if run.unit >= stage.cut_units and run.unit not in piloted
        )
        yield from _pack(runs, size, most_rows)


def _pack(runs: Iterator[UnitRun], size: int, most_rows: int) -> Iterator[ShardRange]:
    """Join neighbouring groups into shards of at most `size` units and about `most_rows` rows."""
    held: list[UnitRun] = []
    for run in runs:
        if held and (
            len(held) == size
            or _rows(held) + run.row_count > most_rows
            or run.unit != held[-1].unit + 1  # those between were piloted
        ):
            yield _shard(held)
            held = []
        held.append(run)
    if held:
        yield _shard(held)


def _shard(held: list[UnitRun]) -> ShardRange:
    return ShardRange(held[0].unit, held[0].unit, len(held), held[0].first_row, _rows(held))


def _rows(held: list[UnitRun]) -> int:
    return sum(run.row_count for run in held)
