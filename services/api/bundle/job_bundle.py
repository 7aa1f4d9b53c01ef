"""What a bundle holds, member by member, read from the database as it is sent."""

from collections.abc import Iterator
from typing import Any

from services.api.answers import moment
from services.api.bundle.stage_members import StageReader
from services.api.bundle.zip_stream import ZipStream
from services.api.long_answer import require_kept
from services.api.views.jobs import event_object, job_object
from shared.contracts import bundle
from shared.contracts.json_values import canonical_json
from shared.database import bundles, events, jobs, stages, tables
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.database.stages import StageRecord
from shared.tables.arrow import batch_to_rows
from shared.tables.store import visible_batches

_EVENTS_AT_ONCE = 500


def bundle_of(engine: Engine, job: JobRecord) -> Iterator[bytes]:
    """Yield the archive of a final job. Raises Gone when it is deleted meanwhile."""
    with engine.connect() as connection:
        found = stages.of_job(connection, job.id)
        plans = bundles.plans_of(connection, job.id)
    folders = [bundle.stage_folder(stage.no, stage.name) for stage in found]
    archive = ZipStream({"format": bundle.FORMAT, "job": job.id, "stages": folders})
    for plan in plans:
        told = {**plan, "created_at": moment(plan["created_at"])}
        yield from archive.member(bundle.plan_member(plan["version"]), [canonical_json(told)])
    used = {}
    for stage, folder in zip(found, folders, strict=True):
        reader = StageReader(engine, stage)
        for name, pieces in reader.members():
            yield from archive.member(folder + name, pieces)
        used[stage.name] = reader.usage
    for name, pieces in _of_job(engine, job, found, used):
        yield from archive.member(name, pieces)
    require_kept(engine, job.project_id, job.id)
    yield from archive.close()


def _of_job(
    engine: Engine, job: JobRecord, found: list[StageRecord], used: dict[str, dict[str, int]]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield bundle.RESULT, _result(engine, found)
    yield bundle.PLANNING, _planning(engine, job.id)
    yield bundle.EVENTS, _events(engine, job.id)
    yield bundle.JOB, _record(engine, job, used)


def _result(engine: Engine, found: list[StageRecord]) -> Iterator[bytes]:
    """Yield the rows of the result as its sealed table has them."""
    stage = next((one for one in found if one.is_result and one.status == "closed"), None)
    if stage is None:
        return
    with engine.connect() as connection:
        table = tables.find(connection, stage.output_table_id)
    if table is None or table.status != "sealed":
        return
    for batch in visible_batches(engine, table):
        yield b"".join(bundle.line(row) for row in batch_to_rows(batch))


def _planning(engine: Engine, job_id: str) -> Iterator[bytes]:
    with engine.connect() as connection:
        calls = bundles.planning_calls_of(connection, job_id)
    for call in calls:
        yield bundle.line({**call, "created_at": moment(call["created_at"])})


def _events(engine: Engine, job_id: str) -> Iterator[bytes]:
    after = 0
    while True:
        with engine.connect() as connection:
            found = events.page(connection, job_id, after=after, limit=_EVENTS_AT_ONCE)
        if not found:
            return
        after = found[-1]["seq"]
        yield b"".join(bundle.line(event_object(row)) for row in found)


def _record(engine: Engine, job: JobRecord, used: dict[str, dict[str, int]]) -> Iterator[bytes]:
    """Yield the job with what decided about its end, its inputs, and what it cost."""
    with engine.connect() as connection:
        told = {
            "job": job_object(connection, job),
            "policy": job.policy,
            "models": job.models,
            "output": job.output,
            "finish_as": job.finish_as,
            "finishing": job.finishing,
            "timings": job.timings,
            "failures": job.failures or [],
            "inputs": list(_inputs(connection, job)),
            "costs": _costs(job, used),
        }
    yield canonical_json(told)


def _inputs(connection: Connection, job: JobRecord) -> Iterator[dict[str, Any]]:
    for item in jobs.inputs(connection, job.id):
        table = tables.find(connection, item.table_id)
        yield {
            "name": item.name,
            "table": item.table_id,
            "key": item.key,
            "columns": [column.to_json() for column in table.columns] if table else [],
            "rows": table.row_count if table else None,
            "hash": table.content_hash if table else None,
        }


def _costs(job: JobRecord, used: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Return what the stages took, and planning: what is left of the total."""
    total = bundle.nothing_used()
    bundle.add_usage(total, job.usage)
    planning = {
        name: total[name] - sum(one[name] for one in used.values()) for name in bundle.MEASURES
    }
    return {"total": total, "planning": planning, "stages": used}
