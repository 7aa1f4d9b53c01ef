"""The audit log: who did what to which object; rows are only ever added."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json


def append(
    connection: Connection, project_id: str, actor: str, action: str, object_id: str,
    detail: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Add a row in the transaction that does the thing; `detail` never holds row data or keys."""
    connection.execute(
        text("""INSERT INTO audit_log (project_id, actor, action, object_id, detail)
          VALUES (:project_id, :actor, :action, :object_id, CAST(:detail AS jsonb))"""),
        {"project_id": project_id, "actor": actor, "action": action, "object_id": object_id,
         "detail": to_json(detail or {})},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row; `project_id` is ``*`` where everything was meant."""

    id: int
    at: datetime
    project_id: str
    actor: str
    action: str
    object_id: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows are wanted; None is any. `project_id` None: of every project."""

    project_id: str | None
    object_id: str | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page(
    connection: Connection, wanted: AuditFilter, *, before: int | None, limit: int
) -> list[AuditEntry]:
    """Return entries, newest first, with numbers below `before`."""
    rows = connection.execute(
        text("""SELECT id, at, project_id, actor, action, object_id, detail FROM audit_log
          WHERE (CAST(:project_id AS text) IS NULL OR project_id = :project_id)
            AND (CAST(:object_id AS text) IS NULL OR object_id = :object_id)
            AND (CAST(:actor AS text) IS NULL OR actor = :actor)
            AND (CAST(:action AS text) IS NULL OR action = :action)
            AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
            AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
            AND (CAST(:before AS bigint) IS NULL OR id < :before)
          ORDER BY id DESC LIMIT :limit"""),
        {
            "project_id": wanted.project_id, "object_id": wanted.object_id,
            "actor": wanted.actor, "action": wanted.action, "since": wanted.since,
            "until": wanted.until, "before": before, "limit": limit,
        },
    ).mappings()  # fmt: skip
    return [AuditEntry(**row) for row in rows]
