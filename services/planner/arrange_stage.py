"""Writes the sorted copy of a table that the groups of a stage are numbered in."""

from shared.database import tables
from shared.database.engine import Engine, retrying
from shared.database.stages import StageRecord
from shared.domain.plan import UnitSpec
from shared.settings import Settings
from shared.tables.arrange import arrange
from shared.tables.store import TableWriter, units_of, visible_batches


def arrange_stage(
    engine: Engine, settings: Settings, stage: StageRecord, over_table_id: str
) -> tuple[str, int]:
    """Return the arrangement's table id and the number of groups; started over, it repeats.

    The id follows from the stage, so a killed planner's half-written copy is written on.
    """
    with engine.connect() as connection:
        source = tables.find(connection, over_table_id)
        arrangement_id = f"tbl_arranged{stage.id:014d}"
        found = tables.find(connection, arrangement_id)
    if source is None:
        raise LookupError(f"table {over_table_id} of stage {stage.name} is gone")
    if found is not None and found.status == "sealed":
        return found.id, int((found.statistics or {})["units"])
    retrying(
        engine,
        lambda tx: tables.insert_loading(
            tx, arrangement_id, source.project_id, stage.name, "arrangement", stage.job_id
        ),
    )
    unit = UnitSpec.from_json(stage.spec["unit"])
    writer = TableWriter(engine, arrangement_id, chunk_bytes=settings.chunk_bytes)
    units = 0
    for batch in arrange(
        visible_batches(engine, source), source.columns, unit.group_by, unit.order_by
    ):
        units = units_of(batch)[-1] + 1 if batch.num_rows else units
        writer.add(batch)
    content_hash = writer.finish()
    retrying(
        engine,
        lambda tx: tables.seal(
            tx, arrangement_id, columns=source.columns, key=None, content_hash=content_hash,
            statistics={"units": units, "memory_bytes": writer.memory_bytes}, sample=None,
            report=None,
        ),
    )  # fmt: skip
    return arrangement_id, units
