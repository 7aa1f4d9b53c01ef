"""The event log of a job: one row per state change, numbered under the job's row lock."""

from typing import Any

from sqlalchemy import Connection, text

from shared.database import webhook_events
from shared.database.engine import to_json
from shared.domain.ids import new_id


def append(
    connection: Connection, job_id: str, type_: str, *, actor: str, data: dict[str, Any]
) -> None:
    """Add an event; its number comes from the job's row, so pages by number skip nothing.

    The deliveries of webhooks that hear of it are written with it.
    """
    event_id = new_id("evt")
    row = connection.execute(
        text("""WITH job AS (UPDATE jobs SET event_seq = event_seq + 1, version = version + 1
            WHERE id = :job_id RETURNING id, project_id, event_seq)
          INSERT INTO events (job_id, seq, id, project_id, type, actor, data)
          SELECT id, event_seq, :id, project_id, :type, :actor, CAST(:data AS jsonb) FROM job
          RETURNING created_at"""),
        {"job_id": job_id, "id": event_id, "type": type_, "actor": actor,
         "data": to_json(data)},
    ).one_or_none()  # fmt: skip
    if row is not None:
        webhook_events.announce(connection, job_id, type_, event_id, row.created_at, data)


def page(connection: Connection, job_id: str, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Return events with a number above `after`, oldest first."""
    rows = connection.execute(
        text("""SELECT id, seq, type, actor, data, created_at FROM events
          WHERE job_id = :job_id AND seq > :after ORDER BY seq LIMIT :limit"""),
        {"job_id": job_id, "after": after, "limit": limit},
    ).mappings()
    return [dict(row) for row in rows]
