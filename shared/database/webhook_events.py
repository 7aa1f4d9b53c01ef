"""Events to deliveries: in the transaction that makes the event, once for each endpoint."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database import deliveries, webhook_batches
from shared.database.deliveries import NewDelivery
from shared.database.engine import to_json
from shared.domain.webhook import BATCHED, JOB_EVENTS, event_body, rfc3339

_BEGINS = ("job.piloting", "job.started")  # results may come from here on
_JOB = """id, project_id, status, mode, labels, retry_of, forked_from, plan_version, plan_hash,
  coverage, usage, error, result_table_id, result_rows, created_at, started_at, finished_at,
  request_id, traceparent"""


def announce(
    connection: Connection, job_id: str, type_: str, event_id: str, at: datetime,
    data: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write a delivery for every endpoint that wants this event; its body is frozen here.

    Runs where the event's row is written: no event is missed, none is delivered that was rolled
    back, and no one has to find events by number.
    """
    if type_ in _BEGINS and _wanted(connection, job_id, BATCHED):
        webhook_batches.begin(connection, job_id)
    if type_ == "job.finished":
        webhook_batches.hurry(connection, job_id)
    if type_ in JOB_EVENTS:
        announce_now(connection, job_id, type_, event_id, at, data)


def announce_now(
    connection: Connection, job_id: str, type_: str, event_id: str, at: datetime,
    data: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write the deliveries of an event that is none of the job's log (results.ready, ...)."""
    wanted = _wanted(connection, job_id, (type_,))
    if not wanted:
        return
    job = connection.execute(
        text(f"SELECT {_JOB} FROM jobs WHERE id = :id AND deleted_at IS NULL"), {"id": job_id}
    ).mappings().one_or_none()  # fmt: skip
    if job is None:
        return
    body = to_json(event_body(type_, at, {**data, "job": _job(job)}))
    for endpoint_id, disabled in wanted:
        made = NewDelivery(
            project_id=job["project_id"], endpoint_id=endpoint_id, event_id=event_id, type=type_,
            body=body, job_id=job_id, request_id=job["request_id"],
            traceparent=job["traceparent"],
        )  # fmt: skip
        deliveries.insert(connection, made, disabled=disabled)


def announce_of_project(
    connection: Connection, project_id: str, type_: str, event_id: str, at: datetime,
    data: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write the deliveries of an event that is of no job."""
    body = to_json(event_body(type_, at, data))
    rows = connection.execute(
        text("""SELECT id, disabled_at IS NOT NULL AS disabled FROM webhook_endpoints
          WHERE project_id = :project_id AND job_id IS NULL AND :type = ANY(events)"""),
        {"project_id": project_id, "type": type_},
    ).all()
    for row in rows:
        made = NewDelivery(project_id, row.id, event_id, type_, body)
        deliveries.insert(connection, made, disabled=row.disabled)


def is_wanted(connection: Connection, job_id: str, types: tuple[str, ...]) -> bool:
    """Return True when some endpoint hears of one of these events of the job."""
    return bool(_wanted(connection, job_id, types))


def _wanted(connection: Connection, job_id: str, types: tuple[str, ...]) -> list[tuple[str, bool]]:
    rows = connection.execute(
        text("""SELECT e.id, e.disabled_at IS NOT NULL AS disabled FROM webhook_endpoints e
          WHERE e.events && CAST(:types AS text[]) AND (e.job_id = :job_id OR (e.job_id IS NULL
            AND e.project_id = (SELECT project_id FROM jobs WHERE id = :job_id)))
          ORDER BY e.id"""),
        {"job_id": job_id, "types": list(types)},
    )
    return [(row.id, row.disabled) for row in rows]


def _job(row: Any) -> dict[str, Any]:
    """Return the job as it is at the moment of the event: figures and labels, no data."""
    coverage = row["coverage"]
    return {
        "id": row["id"],
        "status": row["status"],
        "mode": row["mode"],
        "labels": row["labels"],
        "retry_of": row["retry_of"],
        "forked_from": row["forked_from"],
        "plan": None
        if row["plan_version"] is None
        else {"version": row["plan_version"], "hash": row["plan_hash"]},
        "coverage": None
        if coverage is None
        else {name: value for name, value in coverage.items() if name != "stages"},
        "usage": row["usage"],
        "result": None
        if row["result_table_id"] is None
        else {"table": row["result_table_id"], "rows": row["result_rows"]},
        "error": row["error"],
        "created_at": rfc3339(row["created_at"]),
        "started_at": None if row["started_at"] is None else rfc3339(row["started_at"]),
        "finished_at": None if row["finished_at"] is None else rfc3339(row["finished_at"]),
    }
