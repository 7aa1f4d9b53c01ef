"""Data tables and their chunks as rows of Postgres."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json
from shared.domain.columns import Column

_FIELDS = """id, project_id, job_id, name, kind, status, columns, key, row_count, byte_count,
  chunk_count, content_hash, statistics, sample, report, created_at, sealed_at"""


@dataclass(frozen=True, slots=True)
class TableRecord:
    """One immutable table (see `shared/domain/columns.py` for the types of `columns`)."""

    id: str
    project_id: str
    job_id: str | None  # the job that owns it; None for a table a client uploaded
    name: str
    kind: str  # input, literal, stage, arrangement, file (of the OpenAI-compatible interface)
    status: str  # loading -> sealed -> erased
    columns: tuple[Column, ...]
    key: str | None
    row_count: int
    byte_count: int  # stored bytes, compressed
    chunk_count: int
    content_hash: str | None
    statistics: dict[str, Any] | None
    sample: list[dict[str, Any]] | None
    report: dict[str, Any] | None  # format, unreadable count and samples of what was read
    created_at: datetime
    sealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of rows of one table, encoded by `shared.tables.arrow`."""

    no: int
    first_row: int
    row_count: int
    last_unit: int | None
    data: bytes


def insert_loading(
    connection: Connection, table_id: str, project_id: str, name: str, kind: str,
    job_id: str | None = None,
) -> None:  # fmt: skip
    """Start a table: nobody sees it until `seal`; a second call with the same id does nothing."""
    connection.execute(
        text("""INSERT INTO tables (id, project_id, job_id, name, kind, status)
          VALUES (:id, :project_id, :job_id, :name, :kind, 'loading') ON CONFLICT DO NOTHING"""),
        {"id": table_id, "project_id": project_id, "job_id": job_id, "name": name, "kind": kind},
    )


def insert_chunks(connection: Connection, table_id: str, chunks: list[Chunk]) -> None:
    """Add chunks; one that is there already (same number) stays as it is."""
    connection.execute(
        text("""INSERT INTO table_chunks (table_id, no, first_row, row_count, last_unit, data)
          VALUES (:table_id, :no, :first_row, :row_count, :last_unit, :data)
          ON CONFLICT DO NOTHING"""),
        [
            {"table_id": table_id, "no": chunk.no, "first_row": chunk.first_row,
             "row_count": chunk.row_count, "last_unit": chunk.last_unit, "data": chunk.data}
            for chunk in chunks
        ],
    )  # fmt: skip


def seal(
    connection: Connection, table_id: str, *, columns: tuple[Column, ...], key: str | None,
    content_hash: str | None, statistics: dict[str, Any] | None,
    sample: list[dict[str, Any]] | None, report: dict[str, Any] | None,
) -> TableRecord | None:  # fmt: skip
    """loading -> sealed, with counts summed from the chunks; None if it was not loading."""
    row = (
        connection.execute(
            text(f"""UPDATE tables SET status = 'sealed', sealed_at = clock_timestamp(),
              columns = CAST(:columns AS jsonb), key = :key, content_hash = :content_hash,
              statistics = CAST(:statistics AS jsonb), sample = CAST(:sample AS jsonb),
              report = CAST(:report AS jsonb),
              (row_count, byte_count, chunk_count) =
                (SELECT coalesce(sum(row_count), 0), coalesce(sum(octet_length(data)), 0), count(*)
                 FROM table_chunks WHERE table_id = :id)
              WHERE id = :id AND status = 'loading' RETURNING {_FIELDS}"""),
            {
                "id": table_id, "key": key, "content_hash": content_hash,
                "columns": to_json([column.to_json() for column in columns]),
                "statistics": to_json(statistics), "sample": to_json(sample),
                "report": to_json(report),
            },
        ).mappings().one_or_none()
    )  # fmt: skip
    return _record(row)


def find(
    connection: Connection, table_id: str, project_id: str | None = None
) -> TableRecord | None:
    """Return the table; with `project_id` only when it belongs to that project."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM tables WHERE id = :id
          AND (CAST(:project_id AS text) IS NULL OR project_id = :project_id)"""),
        {"id": table_id, "project_id": project_id},
    ).mappings().one_or_none()  # fmt: skip
    return _record(row)


def list_inputs(
    connection: Connection, project_id: str, *, before: str | None, limit: int
) -> list[TableRecord]:
    """Return a project's uploaded tables, newest first, with ids below `before`."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM tables WHERE project_id = :project_id AND kind = 'input'
          AND status IN ('sealed', 'open')
          AND (CAST(:before AS text) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit"""),
        {"project_id": project_id, "before": before, "limit": limit},
    ).mappings()  # fmt: skip
    return [record for row in rows if (record := _record(row))]


def chunks_of_rows(
    connection: Connection, table_id: str, first_row: int, row_count: int
) -> list[Chunk]:
    """Return the chunks that hold any row of [first_row, first_row + row_count)."""
    rows = connection.execute(
        text("""SELECT no, first_row, row_count, last_unit, data FROM table_chunks
          WHERE table_id = :id AND first_row < :end AND first_row >= coalesce(
            (SELECT max(first_row) FROM table_chunks WHERE table_id = :id AND first_row <= :first),
            0) ORDER BY no"""),
        {"id": table_id, "first": first_row, "end": first_row + row_count},
    )
    return [_chunk(row) for row in rows]


def chunk_no(connection: Connection, table_id: str, no: int) -> Chunk | None:
    """Return chunk number `no`, or None past the last."""
    row = connection.execute(
        text("""SELECT no, first_row, row_count, last_unit, data FROM table_chunks
          WHERE table_id = :id AND no = :no"""),
        {"id": table_id, "no": no},
    ).one_or_none()
    return _chunk(row) if row else None


def replace_chunk(connection: Connection, table_id: str, chunk: Chunk) -> None:
    """Write other data for the rows of a chunk: of an erased table, what may stay."""
    connection.execute(
        text("""UPDATE table_chunks SET data = :data WHERE table_id = :table_id AND no = :no"""),
        {"table_id": table_id, "no": chunk.no, "data": chunk.data},
    )


def last_chunk(connection: Connection, table_id: str) -> tuple[int, int, int] | None:
    """Return (no, row after its last, last unit) of the newest chunk, or None without one."""
    row = connection.execute(
        text("""SELECT no, first_row + row_count, last_unit FROM table_chunks
          WHERE table_id = :id ORDER BY no DESC LIMIT 1"""),
        {"id": table_id},
    ).one_or_none()
    return (row[0], row[1], row[2]) if row else None


def erase(connection: Connection, table_id: str) -> bool:
    """Drop the rows of a table nobody uses; False while a job that is not final reads it."""
    used = connection.execute(
        text("""SELECT 1 FROM job_inputs i JOIN jobs j ON j.id = i.job_id
          WHERE i.table_id = :id AND j.finished_at IS NULL LIMIT 1"""),
        {"id": table_id},
    ).one_or_none()
    if used:
        return False
    for part in ("table_chunks", "stream_batches", "stream_keys"):  # keys are data too
        connection.execute(
            text(f"DELETE FROM {part} WHERE table_id = :id"),
            {"id": table_id},
        )
    connection.execute(
        text("""UPDATE tables SET status = 'erased', sample = NULL, statistics = NULL,
          report = NULL WHERE id = :id"""),
        {"id": table_id},
    )
    return True


def drop_chunks(connection: Connection, table_id: str) -> None:
    """Forget what was written of a table that is still loading; it is written anew."""
    connection.execute(
        text("""DELETE FROM table_chunks c USING tables t
          WHERE c.table_id = :id AND t.id = c.table_id AND t.status = 'loading'"""),
        {"id": table_id},
    )


def sweep_loading(connection: Connection, older_than_s: float) -> int:
    """Delete loads that were abandoned, not inputs that are still to come; return how many."""
    return connection.execute(
        text("""DELETE FROM tables WHERE status = 'loading' AND kind IN ('input', 'file')
          AND created_at < clock_timestamp() - make_interval(secs => :age)
          AND NOT EXISTS (SELECT 1 FROM job_inputs i WHERE i.table_id = tables.id)"""),
        {"age": older_than_s},
    ).rowcount


def _chunk(row: Any) -> Chunk:
    return Chunk(row.no, row.first_row, row.row_count, row.last_unit, bytes(row.data))


def _record(row: Any) -> TableRecord | None:
    if row is None:
        return None
    columns = tuple(Column.from_json(column) for column in row["columns"])
    return TableRecord(**{**row, "columns": columns})
