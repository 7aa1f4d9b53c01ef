"""Pauses of a whole project, or of everything: an operator's, beside those of single jobs."""

from typing import Any

from sqlalchemy import Connection, text

EVERYTHING = "*"


def held(project: str) -> str:
    """Return SQL that is true while the project (an expression) or everything is paused."""
    return f"EXISTS (SELECT 1 FROM pauses held WHERE held.scope IN ('{EVERYTHING}', {project}))"


def pause(connection: Connection, scope: str, by: str) -> bool:
    """Hold back claims, announcements and planning of a project or of everything; False if held."""
    return connection.execute(
        text("""INSERT INTO pauses (scope, paused_by) VALUES (:scope, :by)
          ON CONFLICT DO NOTHING"""),
        {"scope": scope, "by": by},
    ).rowcount == 1  # fmt: skip


def resume(connection: Connection, scope: str) -> bool:
    """Let go; what was announced before is due again at once. False when it was not paused."""
    gone = connection.execute(
        text("DELETE FROM pauses WHERE scope = :scope"), {"scope": scope}
    ).rowcount == 1  # fmt: skip
    if gone:
        connection.execute(
            text("""UPDATE shards s SET dispatched_at = NULL FROM jobs j
              WHERE s.status = 'dispatched' AND j.id = s.job_id
              AND :scope IN (:everything, j.project_id)"""),
            {"scope": scope, "everything": EVERYTHING},
        )
    return gone


def reason(connection: Connection, project_id: str) -> dict[str, Any] | None:
    """Return why work of this project waits, as a `status_reason`; None while it does not."""
    row = connection.execute(
        text("""SELECT scope, paused_by, paused_at FROM pauses
          WHERE scope IN (:everything, :project_id) ORDER BY scope = :everything DESC LIMIT 1"""),
        {"everything": EVERYTHING, "project_id": project_id},
    ).one_or_none()
    if row is None:
        return None
    return {
        "kind": "paused",
        "scope": "global" if row.scope == EVERYTHING else "project",
        "by": row.paused_by,
        "since": f"{row.paused_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def of_job(connection: Connection, job_id: str) -> dict[str, Any] | None:
    """Return why work of the project of a job waits."""
    project_id = connection.execute(
        text("SELECT project_id FROM jobs WHERE id = :id"), {"id": job_id}
    ).scalar_one_or_none()
    return None if project_id is None else reason(connection, project_id)
