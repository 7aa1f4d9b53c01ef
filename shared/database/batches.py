"""Batches of the OpenAI-compatible interface, each with what its job tells of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json

_FIELDS = """b.id, b.project_id, b.job_id, b.input_file_id, b.table_id, b.endpoint,
  b.completion_window, b.model, b.errors, b.total, b.created_at, b.cancelling_at,
  coalesce(b.metadata, j.labels) AS metadata, j.status AS job_status, j.status_reason,
  j.finish_as, j.finishing, j.error AS job_error, j.coverage, j.usage, j.started_at,
  j.finished_at, j.deleted_at"""


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch and the columns of its job; those are None where the file was refused."""

    id: str
    project_id: str
    job_id: str | None
    input_file_id: str
    table_id: str | None
    endpoint: str
    completion_window: str
    model: str | None  # where all lines name the same
    errors: list[dict[str, Any]] | None
    total: int
    created_at: datetime
    cancelling_at: datetime | None
    metadata: dict[str, str] | None
    job_status: str | None
    status_reason: dict[str, Any] | None
    finish_as: str | None
    finishing: dict[str, Any] | None
    job_error: dict[str, Any] | None
    coverage: dict[str, Any] | None
    usage: dict[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What `insert` needs; either `job_id` or `errors` is there."""

    id: str
    project_id: str
    job_id: str | None
    input_file_id: str
    table_id: str | None
    endpoint: str
    completion_window: str
    model: str | None
    metadata: dict[str, str] | None
    errors: list[dict[str, Any]] | None
    total: int


def insert(connection: Connection, batch: NewBatch) -> None:
    """Write a batch, in the transaction that writes its job."""
    connection.execute(
        text("""INSERT INTO batches (id, project_id, job_id, input_file_id, table_id, endpoint,
            completion_window, model, metadata, errors, total)
          VALUES (:id, :project_id, :job_id, :input_file_id, :table_id, :endpoint,
            :completion_window, :model, CAST(:metadata AS jsonb), CAST(:errors AS jsonb),
            :total)"""),
        {
            "id": batch.id, "project_id": batch.project_id,
            "job_id": batch.job_id, "input_file_id": batch.input_file_id,
            "table_id": batch.table_id, "endpoint": batch.endpoint,
            "completion_window": batch.completion_window, "model": batch.model,
            "metadata": None if batch.metadata is None else to_json(batch.metadata),
            "errors": None if batch.errors is None else to_json(batch.errors),
            "total": batch.total,
        },
    )  # fmt: skip


def find(connection: Connection, batch_id: str, project_id: str) -> BatchRecord | None:
    """Return a batch of the project."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM batches b LEFT JOIN jobs j ON j.id = b.job_id
          WHERE b.id = :id AND b.project_id = :project_id"""),
        {"id": batch_id, "project_id": project_id},
    ).mappings().one_or_none()  # fmt: skip
    return BatchRecord(**row) if row else None


def page(
    connection: Connection, project_id: str, *, after: str | None, limit: int
) -> list[BatchRecord]:
    """Return up to `limit` batches, newest first, with ids below `after`."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM batches b LEFT JOIN jobs j ON j.id = b.job_id
          WHERE b.project_id = :project_id AND (CAST(:after AS text) IS NULL OR b.id < :after)
          ORDER BY b.id DESC LIMIT :limit"""),
        {"project_id": project_id, "after": after, "limit": limit},
    ).mappings()
    return [BatchRecord(**row) for row in rows]


def files_of(connection: Connection, batch_ids: list[str]) -> dict[str, dict[str, str]]:
    """Return batch -> role -> id of the files it made that were not deleted."""
    rows = connection.execute(
        text("""SELECT batch_id, role, id FROM batch_files
          WHERE batch_id = ANY(:ids) AND deleted_at IS NULL"""),
        {"ids": batch_ids},
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row.batch_id, {})[row.role] = row.id
    return found


def note_cancelling(connection: Connection, batch_id: str) -> None:
    """Remember when a client asked for the end."""
    connection.execute(
        text("""UPDATE batches SET cancelling_at = coalesce(cancelling_at, clock_timestamp())
          WHERE id = :id"""),
        {"id": batch_id},
    )


def forget_refused(connection: Connection, keep_s: float, limit: int) -> int:
    """Delete batches that never had a job and are older than `keep_s`; return how many."""
    return connection.execute(
        text("""DELETE FROM batches WHERE id = ANY(ARRAY(SELECT id FROM batches
          WHERE job_id IS NULL AND created_at < clock_timestamp() - make_interval(secs => :keep)
          LIMIT :limit FOR UPDATE SKIP LOCKED))"""),
        {"keep": keep_s, "limit": limit},
    ).rowcount
