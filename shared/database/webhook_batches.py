"""Which jobs may have news to tell in batches, and what was told of them already."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from shared.database.engine import to_json


@dataclass(frozen=True, slots=True)
class Batch:
    """A job that is due to be looked at; `noted` maps a stage's id to the last number told."""

    job_id: str
    noted: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class News:
    """What one stage did since: shards noted as `first_no` to `last_no`.

    `first_failed_no` is the first of them in which something failed.
    """

    stage_id: int
    stage: str
    is_result: bool
    first_no: int
    last_no: int
    first_failed_no: int | None
    succeeded: int
    failed: int


def begin(connection: Connection, job_id: str) -> None:
    """Look at this job from now on."""
    connection.execute(
        text("INSERT INTO webhook_batches (job_id) VALUES (:id) ON CONFLICT (job_id) DO NOTHING"),
        {"id": job_id},
    )


def begin_all(connection: Connection, project_id: str) -> None:
    """Look at every job of a project that runs: an endpoint was added."""
    connection.execute(
        text("""INSERT INTO webhook_batches (job_id) SELECT id FROM jobs
          WHERE project_id = :id AND finished_at IS NULL
            AND status NOT IN ('queued', 'planning') ORDER BY id ON CONFLICT DO NOTHING"""),
        {"id": project_id},
    )


def hurry(connection: Connection, job_id: str) -> None:
    """Look at this job at once: it ended."""
    connection.execute(
        text("UPDATE webhook_batches SET due_at = clock_timestamp() WHERE job_id = :id"),
        {"id": job_id},
    )


def forget(connection: Connection, job_id: str) -> None:
    """Look at this job no more; waits for one who looks at it now."""
    connection.execute(text("DELETE FROM webhook_batches WHERE job_id = :id"), {"id": job_id})


def due(connection: Connection) -> Batch | None:
    """Lock and return a job whose time has come; another notifier passes it over meanwhile."""
    row = connection.execute(
        text("""SELECT job_id, noted FROM webhook_batches WHERE due_at <= clock_timestamp()
          ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED""")
    ).one_or_none()
    return Batch(row.job_id, row.noted) if row else None


def put_off(connection: Connection, job_id: str, noted: Mapping[str, int], for_s: float) -> None:
    """Write what was told, and look at the job again after `for_s`."""
    connection.execute(
        text("""UPDATE webhook_batches SET noted = CAST(:noted AS jsonb),
            due_at = clock_timestamp() + make_interval(secs => :for_s) WHERE job_id = :id"""),
        {"id": job_id, "noted": to_json(noted), "for_s": for_s},
    )


def news(connection: Connection, batch: Batch) -> list[News]:
    """Return what the stages of a job did since, in plan order."""
    rows = connection.execute(
        text("""SELECT t.id AS stage_id, t.name AS stage, t.is_result, n.first_no, n.last_no,
            n.first_failed_no, n.succeeded, n.failed
          FROM stages t JOIN LATERAL (
            SELECT min(noted_no) AS first_no, max(noted_no) AS last_no,
              min(noted_no) FILTER (WHERE s.failed > 0) AS first_failed_no,
              sum(s.succeeded)::bigint AS succeeded, sum(s.failed)::bigint AS failed
            FROM shards s WHERE s.stage_id = t.id
              AND s.noted_no > coalesce((CAST(:noted AS jsonb)->>(t.id::text))::integer, 0)
          ) n ON n.first_no IS NOT NULL
          WHERE t.job_id = :job_id ORDER BY t.no"""),
        {"job_id": batch.job_id, "noted": to_json(batch.noted)},
    ).mappings()
    return [News(**row) for row in rows]


def job_of(connection: Connection, job_id: str) -> tuple[str, bool] | None:
    """Return (project, whether the job is final); None for one that was deleted."""
    row = connection.execute(
        text("""SELECT project_id, finished_at IS NOT NULL AS final FROM jobs
          WHERE id = :id AND deleted_at IS NULL"""),
        {"id": job_id},
    ).one_or_none()
    return (row.project_id, row.final) if row else None


def now(connection: Connection) -> datetime:
    """Return the database's time."""
    found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found
