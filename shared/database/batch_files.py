"""Files of the OpenAI-compatible interface: uploaded lines, and what batches make of their job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json

# When a file that a batch made was created: at the end of its job.
_CREATED = "coalesce(j.finished_at, b.created_at, f.created_at)"
_EXPIRES = f"""CASE WHEN f.role = 'input' OR j.finished_at IS NOT NULL
  THEN {_CREATED} + make_interval(secs => f.keep_s) END"""
_FIELDS = f"""f.id, f.project_id, f.role, f.name, f.table_id, f.batch_id, f.byte_count,
  f.line_count, f.models, f.errors, f.error_count, {_CREATED} AS created_at,
  {_EXPIRES} AS expires_at, b.job_id, j.finished_at IS NOT NULL AS ended"""
_FROM = """batch_files f LEFT JOIN tables t ON t.id = f.table_id
  LEFT JOIN batches b ON b.id = f.batch_id LEFT JOIN jobs j ON j.id = b.job_id"""
_KEPT = (
    "f.deleted_at IS NULL AND (f.role <> 'input' OR t.status = 'sealed') AND j.deleted_at IS NULL"
)
_THERE = f"{_KEPT} AND NOT coalesce({_EXPIRES} < clock_timestamp(), false)"
# What a list shows of the files of batches: those of ended ones, unless empty.
_NOT_EMPTY = """CASE f.role WHEN 'input' THEN true
  WHEN 'output' THEN (j.coverage->>'succeeded')::bigint > 0
  ELSE b.total > (j.coverage->>'succeeded')::bigint END"""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file that is there; `byte_count` of one that a batch made is known once it was counted."""

    id: str
    project_id: str
    role: str  # input, output, errors
    name: str
    table_id: str | None
    batch_id: str | None
    byte_count: int | None
    line_count: int | None
    models: dict[str, list[int]] | None  # model -> [first line, lines]
    errors: list[dict[str, Any]] | None  # the first of them, as `BatchError`
    error_count: int | None
    created_at: datetime
    expires_at: datetime | None
    job_id: str | None
    ended: bool


@dataclass(frozen=True, slots=True)
class NewInput:
    """An uploaded file whose table is loaded."""

    id: str
    project_id: str
    name: str
    table_id: str
    byte_count: int
    line_count: int
    models: dict[str, list[int]]
    errors: list[dict[str, Any]]
    error_count: int
    keep_s: float | None


def insert_input(connection: Connection, file: NewInput) -> None:
    """Write the record of an uploaded file."""
    connection.execute(
        text("""INSERT INTO batch_files (id, project_id, role, name, table_id, byte_count,
            line_count, models, errors, error_count, keep_s)
          VALUES (:id, :project_id, 'input', :name, :table_id, :byte_count, :line_count,
            CAST(:models AS jsonb), CAST(:errors AS jsonb), :error_count, :keep_s)"""),
        {
            "id": file.id, "project_id": file.project_id, "name": file.name,
            "table_id": file.table_id, "byte_count": file.byte_count,
            "line_count": file.line_count, "models": to_json(file.models),
            "errors": to_json(file.errors), "error_count": file.error_count,
            "keep_s": file.keep_s,
        },
    )  # fmt: skip


def insert_made(
    connection: Connection, file_id: str, project_id: str, role: str, batch_id: str,
    keep_s: float | None,
) -> None:  # fmt: skip
    """Write the record of a file that is written from the results of a batch."""
    name = f"{batch_id}_{'output' if role == 'output' else 'error'}.jsonl"
    connection.execute(
        text("""INSERT INTO batch_files (id, project_id, role, name, batch_id, keep_s)
          VALUES (:id, :project_id, :role, :name, :batch_id, :keep_s)"""),
        {"id": file_id, "project_id": project_id, "role": role, "name": name,
         "batch_id": batch_id, "keep_s": keep_s},
    )  # fmt: skip


def find(
    connection: Connection, file_id: str, project_id: str, *, expired: bool = False
) -> FileRecord | None:
    """Return a file of the project that is not deleted nor, unless `expired`, past its time."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM {_FROM}
          WHERE f.id = :id AND f.project_id = :project_id AND {_KEPT if expired else _THERE}"""),
        {"id": file_id, "project_id": project_id},
    ).mappings().one_or_none()  # fmt: skip
    return FileRecord(**row) if row else None


def page(
    connection: Connection, project_id: str, *, roles: Sequence[str], after: str | None,
    descending: bool, limit: int,
) -> list[FileRecord]:  # fmt: skip
    """Return up to `limit` files behind the one with the id `after`."""
    side, order = ("<", "DESC") if descending else (">", "ASC")
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM {_FROM}
          WHERE f.project_id = :project_id AND f.role = ANY(:roles) AND {_THERE} AND {_NOT_EMPTY}
            AND (CAST(:after AS text) IS NULL OR f.id {side} :after)
          ORDER BY f.id {order} LIMIT :limit"""),
        {"project_id": project_id, "roles": list(roles), "after": after, "limit": limit},
    ).mappings()  # fmt: skip
    return [FileRecord(**row) for row in rows]


def note_bytes(connection: Connection, file_id: str, byte_count: int) -> None:
    """Remember how long the file of an ended batch is."""
    connection.execute(
        text("UPDATE batch_files SET byte_count = :bytes WHERE id = :id"),
        {"id": file_id, "bytes": byte_count},
    )


def mark_deleted(connection: Connection, file_id: str) -> bool:
    """Hide a file and forget what its record tells of it; False when it was deleted before.

    The table of an uploaded one can be read by no new job from here on; `due` says what is left
    to erase.
    """
    gone = connection.execute(
        text("""UPDATE batch_files SET deleted_at = clock_timestamp(), name = '', models = NULL,
          errors = NULL WHERE id = :id AND deleted_at IS NULL RETURNING table_id"""),
        {"id": file_id},
    ).one_or_none()
    if gone is None:
        return False
    connection.execute(
        text("""UPDATE tables SET status = 'erased', name = '', sample = NULL, statistics = NULL,
          report = NULL WHERE id = :id"""),
        {"id": gone.table_id},
    )
    return True


def is_in_use(connection: Connection, table_id: str) -> bool:
    """Return True while a job that is not final reads the table of a file."""
    return bool(
        connection.execute(
            text("""SELECT EXISTS (SELECT 1 FROM job_inputs i JOIN jobs j ON j.id = i.job_id
              WHERE i.table_id = :id AND j.finished_at IS NULL)"""),
            {"id": table_id},
        ).scalar_one()
    )


def has_other_made(connection: Connection, batch_id: str, file_id: str) -> bool:
    """Return True when an ended batch has another file that is there and not empty."""
    return bool(
        connection.execute(
            text(f"""SELECT EXISTS (SELECT 1 FROM {_FROM} WHERE f.batch_id = :batch_id
              AND f.id <> :id AND {_THERE} AND {_NOT_EMPTY})"""),
            {"batch_id": batch_id, "id": file_id},
        ).scalar_one()
    )


def expired(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """Return (file, project) of files past their time that nothing uses."""
    rows = connection.execute(
        text(f"""SELECT f.id, f.project_id FROM {_FROM} WHERE f.deleted_at IS NULL
          AND j.deleted_at IS NULL AND f.keep_s IS NOT NULL AND {_EXPIRES} < clock_timestamp()
          AND NOT EXISTS (SELECT 1 FROM job_inputs i JOIN jobs o ON o.id = i.job_id
            WHERE i.table_id = f.table_id AND o.finished_at IS NULL)
          ORDER BY f.id LIMIT :limit"""),
        {"limit": limit},
    )
    return [(row.id, row.project_id) for row in rows]


@dataclass(frozen=True, slots=True)
class Leftover:
    """The table of a deleted file; `needed`: a batch that is kept still names its custom ids."""

    file_id: str
    table_id: str
    needed: bool


def due(connection: Connection, limit: int) -> list[Leftover]:
    """Return deleted files of which something has to be erased yet, the oldest first."""
    rows = connection.execute(
        text("""SELECT * FROM (SELECT f.id, f.table_id, f.deleted_at, f.stripped_at,
            EXISTS (SELECT 1 FROM job_inputs i JOIN jobs j ON j.id = i.job_id
              WHERE i.table_id = f.table_id AND j.deleted_at IS NULL) AS needed
            FROM batch_files f WHERE f.role = 'input' AND f.deleted_at IS NOT NULL) l
          WHERE stripped_at IS NULL OR NOT needed ORDER BY deleted_at LIMIT :limit"""),
        {"limit": limit},
    )
    return [Leftover(row.id, row.table_id, row.needed) for row in rows]


def mark_stripped(connection: Connection, file_id: str) -> None:
    """Note that of a deleted file only the custom ids are left."""
    connection.execute(
        text("UPDATE batch_files SET stripped_at = clock_timestamp() WHERE id = :id"),
        {"id": file_id},
    )


def erase(connection: Connection, leftover: Leftover) -> None:
    """Drop what is left of a deleted file; the table's own row stays as its tombstone."""
    connection.execute(
        text("DELETE FROM table_chunks WHERE table_id = :id"), {"id": leftover.table_id}
    )
    connection.execute(text("DELETE FROM batch_files WHERE id = :id"), {"id": leftover.file_id})
