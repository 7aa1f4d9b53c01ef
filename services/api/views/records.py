"""What an append came to, one record with its outcome, and how a stream stands."""

from dataclasses import asdict
from typing import Any, Literal

from services.api.answers import milliseconds, moment
from shared.actions.append_records import Appended
from shared.database import result_pages, stages, streams
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.database.result_pages import GOOD, NOT_GOOD, SettledUnit
from shared.database.stages import StageRecord
from shared.database.streams import KeptRecord, StreamRecord
from shared.database.tables import TableRecord
from shared.domain.stage import StageSpec
from shared.domain.stream import CUT_SHORT

LATENCIES_OF = 10_000  # the last records a stream's latencies are of
_ENDED = ("closed", "abandoned")
_CUT_SHORT_DETAIL = (
    "It was accepted, and was never run: the records from a place before it on could not be read."
)


def appended_object(counted: Appended, counted_by: Literal["index", "line"]) -> dict[str, Any]:
    """Return how many records were accepted, known, or rejected and why."""
    return {
        "accepted": counted.accepted,
        "duplicates": counted.duplicates,
        "rejected": [
            {counted_by: item.place, "pointer": item.pointer, "detail": item.detail}
            for item in counted.rejected
        ],
        "rejected_total": counted.rejected_total,
    }


def record_object(
    connection: Connection, job: JobRecord, key: str, record: KeptRecord,
    stream: StreamRecord, stage: StageRecord | None,
) -> dict[str, Any]:  # fmt: skip
    """Return one record: what its unit in `stage` came to, null while that is open."""
    spec = StageSpec.from_json(stage.spec) if stage else None
    unit = record.row_no // spec.unit.size if spec else None
    settled = _settled(connection, stage, unit) if stage is not None and unit is not None else None
    outcome = settled.outcome if settled else _left_over(job, stage)
    return {
        "key": key,
        "row": record.row_no,
        "stage": stage.name if stage else None,
        "unit": unit,
        "outcome": outcome,
        "output": _output(stage, spec, settled),
        "error": _error(record, stream, settled),
        "attempt": settled.attempt if settled else None,
        "accepted_at": moment(record.accepted_at),
        "settled_at": moment(settled.settled_at) if settled else None,
        "latency_ms": milliseconds(record.accepted_at, settled.settled_at) if settled else None,
    }


def stream_object(
    connection: Connection, stream: StreamRecord, table: TableRecord, stage: StageRecord | None
) -> dict[str, Any]:
    """Return how far a stream is, with the latencies of its last records in `stage`."""
    latency = None
    if stage is not None and StageSpec.from_json(stage.spec).unit.single_row:
        from_row = max(0, stream.accepted_rows - LATENCIES_OF)
        latency = asdict(streams.latencies(connection, stream.table_id, stage.id, from_row))
    return {
        "input": stream.name,
        "table": stream.table_id,
        "key": stream.key,
        "columns": [column.to_json() for column in table.columns],
        "accepted": stream.accepted_rows,
        "unsettled": streams.unsettled(connection, stream),
        "ended_at": moment(stream.ended_at),
        "sealed_at": moment(stream.sealed_at),
        "latency": latency,
    }


def stages_of_records(
    connection: Connection, job_id: str, stream: StreamRecord
) -> list[StageRecord]:
    """Return the stages in which the row of a record tells its unit; the result's stage last."""
    found = [
        stage
        for stage in stages.of_job(connection, job_id)
        if stage.reads.get(stage.spec["over"][0]) == stream.table_id
        and StageSpec.from_json(stage.spec).unit.kind == "rows"
    ]
    return sorted(found, key=lambda stage: (stage.is_result, stage.no))


def _settled(connection: Connection, stage: StageRecord, unit: int) -> SettledUnit | None:
    found = result_pages.in_unit_order(
        connection, stage.id, unit, (*GOOD, *NOT_GOOD), limit=1, max_bytes=0
    )
    return next((one for one in found if one.unit == unit), None)


def _error(
    record: KeptRecord, stream: StreamRecord, settled: SettledUnit | None
) -> dict[str, Any] | None:
    """Return why a record has no output; None while it may get one, or its job ended before."""
    if settled is not None:
        good = settled.outcome == "succeeded"
        return None if good else {"code": settled.code, "detail": settled.detail}
    if stream.lost_rows and record.row_no >= stream.formed_rows:
        return {"code": CUT_SHORT, "detail": _CUT_SHORT_DETAIL}
    return None


def _left_over(job: JobRecord, stage: StageRecord | None) -> str | None:
    """Return what a unit without a result counts as once its stage has ended."""
    if stage is None or stage.status not in _ENDED:
        return None
    return "cancelled" if job.finish_as == "cancelled" else "skipped"


def _output(
    stage: StageRecord | None, spec: StageSpec | None, settled: SettledUnit | None
) -> dict[str, Any] | list[dict[str, Any]] | None:
    """Return the unit's row, or all its rows where the stage emits many."""
    if stage is None or spec is None or settled is None or settled.outcome != "succeeded":
        return None
    names = [column.name for column in stage.columns]
    rows = [{name: row.get(name) for name in names} for row in settled.output or []]
    if spec.emit == "many":
        return rows
    return rows[0] if rows else None
