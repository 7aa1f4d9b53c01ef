"""The log of webhooks: what was sent to whom, sending it again, and forgetting it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

STATUSES = ("pending", "succeeded", "failed", "skipped", "cancelled")
_FIELDS = """id, project_id, endpoint_id, job_id, event_id, type, body, request_id, traceparent,
  status, next_at, tries, attempts, response_status, error, created_at, finished_at"""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A row of `deliveries`."""

    id: str
    project_id: str
    endpoint_id: str
    job_id: str | None
    event_id: str
    type: str
    body: str | None  # None once the job was deleted
    request_id: str | None
    traceparent: str | None
    status: str  # see STATUSES
    next_at: datetime | None  # when it is due, or its lease ends; only while pending
    tries: int  # since it was last made due by hand
    attempts: int  # ever
    response_status: int | None  # of the last try
    error: dict[str, Any] | None  # {code, detail} of the last try, or why there was none
    created_at: datetime
    finished_at: datetime | None


def find(connection: Connection, delivery_id: str, project_id: str) -> DeliveryRecord | None:
    """Return the delivery of this project."""
    row = connection.execute(
        text(f"SELECT {_FIELDS} FROM deliveries WHERE id = :id AND project_id = :project_id"),
        {"id": delivery_id, "project_id": project_id},
    ).mappings().one_or_none()  # fmt: skip
    return DeliveryRecord(**row) if row else None


def page(
    connection: Connection, project_id: str, *, endpoint_id: str | None, status: str | None,
    job_id: str | None, before: str | None, limit: int,
) -> list[DeliveryRecord]:  # fmt: skip
    """Return deliveries of a project, newest first; None filters nothing. Without bodies."""
    fields = _FIELDS.replace(" body,", " CAST(NULL AS text) AS body,")
    values = {"project_id": project_id, "endpoint_id": endpoint_id, "status": status,
              "job_id": job_id, "before": before}  # fmt: skip
    wanted = {
        "endpoint_id": "endpoint_id = :endpoint_id", "status": "status = :status",
        "job_id": "job_id = :job_id", "before": "id < :before",
    }  # fmt: skip
    where = " AND ".join(
        ["project_id = :project_id"]
        + [rule for name, rule in wanted.items() if values[name] is not None]
    )
    rows = connection.execute(
        text(f"SELECT {fields} FROM deliveries WHERE {where} ORDER BY id DESC LIMIT :limit"),
        {**values, "limit": limit},
    ).mappings()
    return [DeliveryRecord(**row) for row in rows]


def attempts(connection: Connection, delivery_id: str) -> list[dict[str, Any]]:
    """Return the tries of a delivery, the first one first."""
    rows = connection.execute(
        text("""SELECT number, started_at, duration_ms, request, response_status, response, error
          FROM delivery_attempts WHERE delivery_id = :id ORDER BY number"""),
        {"id": delivery_id},
    ).mappings()
    return [dict(row) for row in rows]


def redeliver(connection: Connection, delivery_id: str) -> bool:
    """Any status but pending -> pending and due now; False when it is pending, or was erased."""
    return connection.execute(
        text(f"""UPDATE deliveries SET {_AGAIN}
          WHERE id = :id AND status <> 'pending' AND body IS NOT NULL"""),
        {"id": delivery_id},
    ).rowcount == 1  # fmt: skip


def count_range(
    connection: Connection, endpoint_id: str, since: datetime, until: datetime | None,
    statuses: Sequence[str], most: int,
) -> int:  # fmt: skip
    """Return how many deliveries `redeliver_range` would send again; counts no further."""
    found: int = connection.execute(
        text(f"SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE {_IN_RANGE} LIMIT :most) d"),
        {"endpoint_id": endpoint_id, "since": since, "until": until,
         "statuses": list(statuses), "most": most},
    ).scalar_one()  # fmt: skip
    return found


def redeliver_range(
    connection: Connection, endpoint_id: str, since: datetime, until: datetime | None,
    statuses: Sequence[str],
) -> int:  # fmt: skip
    """Make every ended delivery of an endpoint made in a span of time due again; count them."""
    return connection.execute(
        text(f"UPDATE deliveries SET {_AGAIN} WHERE {_IN_RANGE}"),
        {"endpoint_id": endpoint_id, "since": since, "until": until, "statuses": list(statuses)},
    ).rowcount


_AGAIN = """status = 'pending', next_at = clock_timestamp(), tries = 0, finished_at = NULL,
  error = NULL, fence = fence + 1"""


_IN_RANGE = """endpoint_id = :endpoint_id AND status = ANY(CAST(:statuses AS text[]))
  AND status <> 'pending' AND body IS NOT NULL AND created_at >= :since
  AND (CAST(:until AS timestamptz) IS NULL OR created_at < :until)"""


def erase_of_job(connection: Connection, job_id: str) -> None:
    """Erase what deliveries say of a deleted job: bodies, answers; what waits is cancelled."""
    values = {"id": job_id}
    connection.execute(
        text("""UPDATE delivery_attempts SET request = NULL, response = NULL, error = NULL
          WHERE delivery_id IN (SELECT id FROM deliveries WHERE job_id = :id)"""),
        values,
    )
    connection.execute(
        text("""UPDATE deliveries SET body = NULL, request_id = NULL, traceparent = NULL,
            status = CASE status WHEN 'pending' THEN 'cancelled' ELSE status END,
            error = CASE WHEN error IS NOT NULL THEN jsonb_build_object('code', error->'code',
              'detail', 'Deleted.') END,
            finished_at = coalesce(finished_at, clock_timestamp()), next_at = NULL,
            fence = fence + 1
          WHERE job_id = :id"""),
        values,
    )
    connection.execute(text("DELETE FROM webhook_endpoints WHERE job_id = :id"), values)


def forget(connection: Connection, keep_s: float, limit: int) -> int:
    """Delete up to `limit` ended deliveries older than `keep_s`, with their tries."""
    return connection.execute(
        text("""DELETE FROM deliveries WHERE id = ANY(ARRAY(SELECT id FROM deliveries
          WHERE finished_at < clock_timestamp() - make_interval(secs => :keep)
          ORDER BY finished_at LIMIT :limit FOR UPDATE SKIP LOCKED))"""),
        {"keep": keep_s, "limit": limit},
    ).rowcount
