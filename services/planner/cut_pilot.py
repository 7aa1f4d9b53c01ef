"""Cuts the pilot of a job: some units, one to a shard, of every stage whose input is there."""

from collections.abc import Iterator
from functools import partial

from shared.database import jobs, pilots, stages, tables
from shared.database.engine import Engine, retrying
from shared.database.jobs import JobRecord
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.pilot import choose_units
from shared.domain.plan import UnitSpec
from shared.domain.shard import ShardRange
from shared.log import get_logger
from shared.tables.unit_runs import unit_runs


def cut_pilots(engine: Engine, job_id: str) -> bool:
    """Write the pilot shards of a job that is piloting; False for one that is not.

    The rest of such a job is not cut before its plan is approved.
    """
    with engine.connect() as connection:
        job = jobs.find(connection, job_id)
        found = stages.of_job(connection, job_id)
    if job is None or job.status != "piloting":
        return False
    for stage in found:
        if stage.status == "open" and stage.pilot_units is None:
            ranges = list(_ranges(engine, job, stage))
            retrying(engine, partial(pilots.begin, stage=stage, ranges=ranges))
            get_logger(job_id=job_id, stage=stage.name).info("pilot_cut", units=len(ranges))
    return True


def _ranges(engine: Engine, job: JobRecord, stage: StageRecord) -> Iterator[ShardRange]:
    with engine.connect() as connection:
        source = tables.find(connection, stage.source_table_id or "")
    if source is None or stage.unit_count is None:
        raise LookupError(f"stage {stage.name} has no source table")
    unit = UnitSpec.from_json(stage.spec["unit"])
    k, seed = int((job.pilot or {})["units"]), f"{job.id}/{stage.name}"
    if unit.kind == "group":
        yield from _groups(engine, source, stage.unit_count, k, seed)
        return
    rows = source.row_count if unit.kind == "table" else unit.size
    for number in choose_units(stage.unit_count, k, seed):
        yield ShardRange(
            number, number, 1, number * rows, min(rows, source.row_count - number * rows)
        )


def _groups(
    engine: Engine, source: TableRecord, count: int, k: int, seed: str
) -> Iterator[ShardRange]:
    sizes = [0] * count
    for run in unit_runs(engine, source):
        sizes[run.unit] = run.row_count
    chosen = set(choose_units(count, k, seed, sizes))
    for run in unit_runs(engine, source):
        if run.unit in chosen:
            yield ShardRange(run.unit, run.unit, 1, run.first_row, run.row_count)
