"""Makes shards of the records of a running stream: enough of them, or old enough ones."""

from collections.abc import Callable
from itertools import islice

from shared.database import shards, stages, streams, tables, workers
from shared.database.engine import Connection, Engine, retrying
from shared.database.stages import StageRecord
from shared.domain.plan import UnitSpec
from shared.domain.shard import ShardRange, cut_rows
from shared.domain.stream import stream_shard_size
from shared.settings import Settings
from shared.tables.stream_table import form_up

STREAMS_IN_ONE_LOOK = 100


def due_streams(engine: Engine, settings: Settings) -> list[str]:
    """Return jobs whose streams have something to cut."""
    with engine.connect() as connection:
        return streams.due(
            connection, settings.stream_shard_rows, settings.stream_max_age_s, STREAMS_IN_ONE_LOOK
        )


def cut_stream(engine: Engine, settings: Settings, job_id: str) -> bool:
    """Form up one chunk of records and cut every stage over it; the rest is due again at once.

    Needs no lease: who writes a chunk locks the table, and the cutting cursor moves with the
    shards. Killed anywhere, what was accepted is still waiting, or formed, or cut. True when there
    are new shards.
    """
    with engine.connect() as connection:
        stream = streams.of_job(connection, job_id)
        slots = workers.live_slots(connection)
    if stream is None:
        return False
    form_up(engine, stream.table_id, settings.chunk_bytes)
    with engine.connect() as connection:
        table = tables.find(connection, stream.table_id)
        over = [
            stage
            for stage in stages.of_job(connection, job_id)
            if stage.streams and stage.status == "open" and stage.source_table_id == stream.table_id
        ]
    if table is None:
        return False
    bytes_per_row = (table.statistics or {}).get("memory_bytes", 0) / max(1, table.row_count)
    cut = [_cut(engine, settings, one, table.row_count, slots, bytes_per_row) for one in over]
    return any(cut)


def _cut(
    engine: Engine, settings: Settings, stage: StageRecord, rows: int, slots: int,
    bytes_per_row: float,
) -> bool:  # fmt: skip
    most = min(settings.stream_shard_rows, settings.shard_max_units)
    size = stream_shard_size(
        rows - stage.cut_units, slots, most=most, forced=settings.shard_size
    )  # fmt: skip
    ranges = cut_rows(
        UnitSpec("rows"), rows, size, from_unit=stage.cut_units, bytes_per_row=bytes_per_row,
        max_bytes=settings.shard_max_bytes,
    )  # fmt: skip
    cut = stage.cut_units
    while batch := list(islice(ranges, settings.cut_batch_shards)):
        end = batch[-1].first_unit + batch[-1].unit_count
        if not retrying(engine, _writing(stage, batch, cut, end)):
            break  # another planner cuts this stage, or it ended early
        cut = end
    return cut > stage.cut_units


def _writing(
    stage: StageRecord, batch: list[ShardRange], cut: int, end: int
) -> Callable[[Connection], bool]:
    def work(tx: Connection) -> bool:
        if not streams.note_cut(tx, stage.id, cut, end):
            return False
        shards.insert_cut(tx, stage.id, stage.job_id, stage.capability, stage.queue, batch)
        return True

    return work
