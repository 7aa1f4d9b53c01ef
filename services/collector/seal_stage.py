"""Writes a finished stage's succeeded units into its output table, chunk by chunk."""

import hashlib
from dataclasses import dataclass

from shared.database import results, tables
from shared.database.engine import Engine
from shared.database.stages import StageRecord
from shared.seams import reach
from shared.settings import Settings
from shared.tables.arrow import encode_chunk, rows_to_batch
from shared.tables.statistics import TableStatistics
from shared.tables.store import TableWriter, batches, with_units

UNITS_IN_ONE_READ = 500


@dataclass(frozen=True, slots=True)
class SealedOutput:
    """What is known of an output table once all its chunks are written."""

    content_hash: str  # of the declared columns, so equal outputs of two jobs have the same
    statistics: dict[str, object]


def seal_stage(engine: Engine, settings: Settings, stage: StageRecord) -> SealedOutput:
    """Write the chunks in unit order, without any lock; a killed collector's are gone on with."""
    with engine.connect() as connection:
        last = tables.last_chunk(connection, stage.output_table_id)
    no, row, unit = (last[0] + 1, last[1], _unit(last[2])) if last else (0, 0, -1)
    writer = TableWriter(
        engine, stage.output_table_id, chunk_bytes=settings.chunk_bytes, first_no=no, first_row=row
    )
    while True:
        with engine.connect() as connection:
            found = results.succeeded_after(connection, stage.id, unit, UNITS_IN_ONE_READ)
        if not found:
            break
        unit = found[-1].unit
        rows = [row for item in found for row in item.rows]
        units = [item.unit for item in found for _ in item.rows]
        writer.add(with_units(rows_to_batch(rows, stage.columns), units), last_unit=unit)
        reach("collector_mid_seal")
    writer.finish()
    return _describe(engine, stage)


def _unit(value: int | None) -> int:
    if value is None:
        raise LookupError("a chunk of a stage's output does not say its last unit")
    return value


def _describe(engine: Engine, stage: StageRecord) -> SealedOutput:
    """Read the written chunks once more for statistics: they must be of the whole table."""
    statistics, memory_bytes, digest = TableStatistics(), 0, hashlib.sha256()
    with engine.connect() as connection:
        table = tables.find(connection, stage.output_table_id)
        last = tables.last_chunk(connection, stage.output_table_id)
    if table is None:
        raise LookupError(f"output table of stage {stage.name} is gone")
    names = [column.name for column in stage.columns]
    for batch in batches(engine, table, chunk_count=last[0] + 1 if last else 0):
        memory_bytes += batch.nbytes
        digest.update(encode_chunk(batch.select(names)))
        statistics.add(batch.select(names))
    return SealedOutput(
        digest.hexdigest(), {"columns": statistics.result(), "memory_bytes": memory_bytes}
    )
