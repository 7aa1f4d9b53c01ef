"""Where webhooks go: endpoints of projects and of single jobs, and how they fare."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json
from shared.domain.webhook import EXHAUSTED_IN_A_ROW

_FIELDS = """id, project_id, job_id, url, events, description, secret, former_secret,
  former_until, failing_since, exhausted, disabled_at, disabled_reason, created_at"""


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """One receiver. With `job_id` it hears of that job only, signed with the project's secret."""

    id: str
    project_id: str
    job_id: str | None
    url: str
    events: tuple[str, ...]
    description: str
    secret: str | None  # sealed; None: the project's holds
    former_secret: str | None  # sealed; signs beside it until `former_until`
    former_until: datetime | None
    failing_since: datetime | None  # the first failed try since the last good one
    exhausted: int  # deliveries given up since the last good try
    disabled_at: datetime | None
    disabled_reason: dict[str, Any] | None  # {kind: asked | gone | failing, detail}
    created_at: datetime


def insert(
    connection: Connection, endpoint_id: str, project_id: str, url: str, events: tuple[str, ...], *,
    description: str = "", secret: str | None = None, job_id: str | None = None,
) -> EndpointRecord:  # fmt: skip
    """Store an endpoint: with a sealed `secret` the project's, with `job_id` that job's."""
    row = connection.execute(
        text(f"""INSERT INTO webhook_endpoints
            (id, project_id, job_id, url, events, description, secret)
          VALUES (:id, :project_id, :job_id, :url, :events, :description, :secret)
          RETURNING {_FIELDS}"""),
        {"id": endpoint_id, "project_id": project_id, "job_id": job_id, "url": url,
         "events": list(events), "description": description, "secret": secret},
    ).mappings().one()  # fmt: skip
    return _record(row)


def find(connection: Connection, endpoint_id: str, project_id: str) -> EndpointRecord | None:
    """Return the endpoint of this project."""
    return _one(
        connection,
        f"SELECT {_FIELDS} FROM webhook_endpoints WHERE id = :id AND project_id = :project_id",
        {"id": endpoint_id, "project_id": project_id},
    )


def lock(connection: Connection, endpoint_id: str, project_id: str) -> EndpointRecord | None:
    """Return the endpoint of this project with its row locked."""
    return _one(
        connection,
        f"""SELECT {_FIELDS} FROM webhook_endpoints
          WHERE id = :id AND project_id = :project_id FOR UPDATE""",
        {"id": endpoint_id, "project_id": project_id},
    )


def of_job(connection: Connection, job_id: str) -> EndpointRecord | None:
    """Return the endpoint a job brought itself."""
    return _one(
        connection, f"SELECT {_FIELDS} FROM webhook_endpoints WHERE job_id = :id", {"id": job_id}
    )


def page(
    connection: Connection, project_id: str, *, before: str | None, limit: int
) -> list[EndpointRecord]:
    """Return endpoints of a project (not those of single jobs), newest first."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM webhook_endpoints
          WHERE project_id = :project_id AND job_id IS NULL
            AND (CAST(:before AS text) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit"""),
        {"project_id": project_id, "before": before, "limit": limit},
    ).mappings()
    return [_record(row) for row in rows]


def count(connection: Connection, project_id: str) -> int:
    """Return how many endpoints a project has, without those of single jobs."""
    found: int = connection.execute(
        text("SELECT count(*) FROM webhook_endpoints WHERE project_id = :id AND job_id IS NULL"),
        {"id": project_id},
    ).scalar_one()
    return found


def edit(
    connection: Connection, endpoint_id: str, *, url: str, events: tuple[str, ...],
    description: str,
) -> None:  # fmt: skip
    """Write what a client may change."""
    connection.execute(
        text("""UPDATE webhook_endpoints SET url = :url, events = :events,
            description = :description WHERE id = :id"""),
        {"id": endpoint_id, "url": url, "events": list(events), "description": description},
    )


def rotate(
    connection: Connection, endpoint_id: str, secret: str, overlap_s: float
) -> EndpointRecord | None:
    """Put a new sealed secret in place; the former one signs too for `overlap_s` (0: no more)."""
    return _one(
        connection,
        f"""UPDATE webhook_endpoints SET
            former_secret = CASE WHEN :overlap > 0 THEN secret END,
            former_until = CASE WHEN :overlap > 0
              THEN clock_timestamp() + make_interval(secs => :overlap) END,
            secret = :secret WHERE id = :id AND job_id IS NULL RETURNING {_FIELDS}""",
        {"id": endpoint_id, "secret": secret, "overlap": overlap_s},
    )


def enable(connection: Connection, endpoint_id: str) -> None:
    """Send to it again; what it failed before is forgotten."""
    connection.execute(
        text("""UPDATE webhook_endpoints SET disabled_at = NULL, disabled_reason = NULL,
            failing_since = NULL, exhausted = 0 WHERE id = :id"""),
        {"id": endpoint_id},
    )


def disable(
    connection: Connection, endpoint_id: str, reason: dict[str, Any]
) -> EndpointRecord | None:
    """Send nothing to it any more; None when it was disabled or deleted already.

    What waits for it is `skipped`, as is what comes, and can be sent again once it is enabled.
    """
    disabled = _one(
        connection,
        f"""UPDATE webhook_endpoints SET disabled_at = clock_timestamp(),
            disabled_reason = CAST(:reason AS jsonb)
          WHERE id = :id AND disabled_at IS NULL RETURNING {_FIELDS}""",
        {"id": endpoint_id, "reason": to_json(reason)},
    )
    if disabled is not None:
        connection.execute(
            text("""UPDATE deliveries SET status = 'skipped', next_at = NULL, fence = fence + 1,
                finished_at = clock_timestamp(), error = CAST(:error AS jsonb)
              WHERE endpoint_id = :id AND status = 'pending'"""),
            {"id": endpoint_id, "error": to_json(DISABLED)},
        )
    return disabled


DISABLED = {"code": "endpoint_disabled", "detail": "The endpoint is disabled; enable it."}
DELETED = {"code": "endpoint_deleted", "detail": "The endpoint was deleted."}


def delete(connection: Connection, endpoint_id: str) -> None:
    """Remove the endpoint and its secrets; what waits for it is `cancelled`, its log stays."""
    connection.execute(text("DELETE FROM webhook_endpoints WHERE id = :id"), {"id": endpoint_id})
    connection.execute(
        text("""UPDATE deliveries SET status = 'cancelled', next_at = NULL, fence = fence + 1,
            finished_at = clock_timestamp(), error = CAST(:error AS jsonb)
          WHERE endpoint_id = :id AND status = 'pending'"""),
        {"id": endpoint_id, "error": to_json(DELETED)},
    )


def note_success(connection: Connection, endpoint_id: str) -> None:
    """Forget what failed before; writes nothing where nothing did."""
    connection.execute(
        text("""UPDATE webhook_endpoints SET failing_since = NULL, exhausted = 0
          WHERE id = :id AND (failing_since IS NOT NULL OR exhausted > 0)"""),
        {"id": endpoint_id},
    )


def note_failure(
    connection: Connection, endpoint_id: str, *, given_up: bool, disable_after_s: float
) -> bool:
    """Count a failed try; True when the endpoint is past saving and should be disabled.

    That is when `EXHAUSTED_IN_A_ROW` deliveries were given up and nothing succeeded for
    `disable_after_s` (0: never).
    """
    row = connection.execute(
        text("""UPDATE webhook_endpoints SET
            failing_since = coalesce(failing_since, clock_timestamp()),
            exhausted = exhausted + CASE WHEN :given_up THEN 1 ELSE 0 END
          WHERE id = :id AND (failing_since IS NULL OR :given_up)
          RETURNING exhausted, failing_since
            < clock_timestamp() - make_interval(secs => :after) AS is_long"""),
        {"id": endpoint_id, "given_up": given_up, "after": disable_after_s},
    ).one_or_none()
    if row is None or not disable_after_s or not given_up:
        return False
    return bool(row.is_long) and row.exhausted >= EXHAUSTED_IN_A_ROW


def _one(connection: Connection, statement: str, values: dict[str, Any]) -> EndpointRecord | None:
    row = connection.execute(text(statement), values).mappings().one_or_none()
    return _record(row) if row else None


def _record(row: Any) -> EndpointRecord:
    return EndpointRecord(**{**row, "events": tuple(row["events"])})
