"""Pages of a project's jobs, newest first, and what a listed job shows of its progress."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, text

from shared.database.engine import to_json
from shared.database.jobs import _FIELDS, JobRecord

_NOTHING = {
    "units": 0, "succeeded": 0, "failed": 0, "skipped": 0, "cancelled": 0, "running": 0,
    "waiting": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list shows; silent fields do not filter."""

    status: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None
    goal_contains: str | None = None  # case-insensitive, taken literally


def page(
    connection: Connection, project_id: str, wanted: JobFilter, *, before: str | None, limit: int
) -> list[JobRecord]:
    """Return up to `limit` jobs with ids below `before`; the project's index gives the order."""
    conditions, values = _conditions(wanted)
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM jobs WHERE project_id = :project_id AND deleted_at IS NULL
          AND (CAST(:before AS text) IS NULL OR id < :before) {conditions}
          ORDER BY id DESC LIMIT :limit"""),
        {"project_id": project_id, "before": before, "limit": limit, **values},
    ).mappings()
    return [JobRecord(**row) for row in rows]


def progress_of(connection: Connection, job_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return what `jobs.progress` tells of each of these jobs, in one query."""
    if not job_ids:
        return {}
    rows = connection.execute(
        text("""WITH live AS (
            SELECT s.stage_id, sum(s.succeeded) AS succeeded, sum(s.failed) AS failed,
              sum(s.unit_count - s.succeeded - s.failed) FILTER (WHERE s.status = 'running')
                AS running
            FROM stages t JOIN shards s ON s.stage_id = t.id
            WHERE t.job_id = ANY(:ids) AND t.status IN ('open', 'sealing') GROUP BY s.stage_id)
          SELECT t.job_id, coalesce(sum(t.unit_count), 0)::bigint AS units,
            coalesce(sum(coalesce(l.succeeded, t.succeeded)), 0)::bigint AS succeeded,
            coalesce(sum(coalesce(l.failed, t.failed)), 0)::bigint AS failed,
            coalesce(sum(t.skipped), 0)::bigint AS skipped,
            coalesce(sum(t.cancelled), 0)::bigint AS cancelled,
            coalesce(sum(l.running), 0)::bigint AS running
          FROM stages t LEFT JOIN live l ON l.stage_id = t.id
          WHERE t.job_id = ANY(:ids) GROUP BY t.job_id"""),
        {"ids": list(job_ids)},
    ).mappings()
    found = {job_id: dict(_NOTHING) for job_id in job_ids}
    for row in rows:
        counts = {name: row[name] for name in _NOTHING if name != "waiting"}
        settled = counts["succeeded"] + counts["failed"] + counts["skipped"] + counts["cancelled"]
        waiting = max(0, counts["units"] - settled - counts["running"])
        found[row["job_id"]] = {**counts, "waiting": waiting}
    return found


def columns_of(connection: Connection, table_ids: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """Return the columns of several tables."""
    if not table_ids:
        return {}
    rows = connection.execute(
        text("SELECT id, columns FROM tables WHERE id = ANY(:ids)"), {"ids": list(table_ids)}
    )
    return {row.id: row.columns for row in rows}


def _conditions(wanted: JobFilter) -> tuple[str, dict[str, object]]:
    known: list[tuple[str, str, object]] = [
        ("status", "status = :status", wanted.status),
        ("labels", "labels @> CAST(:labels AS jsonb)",
         to_json(wanted.labels) if wanted.labels else None),
        ("after", "created_at > :after", wanted.created_after),
        ("before_at", "created_at < :before_at", wanted.created_before),
        ("goal", "goal ILIKE :goal", _contains(wanted.goal_contains)),
    ]  # fmt: skip
    used = [(name, clause, value) for name, clause, value in known if value is not None]
    return (
        "".join(f" AND {clause}" for _, clause, _ in used),
        {name: value for name, _, value in used},
    )


def _contains(words: str | None) -> str | None:
    if words is None:
        return None
    for special in ("\\", "%", "_"):
        words = words.replace(special, "\\" + special)
    return f"%{words}%"
