"""Reads everything a job left, in pages: bounded in rows and bytes, each a query of its own."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

PAGE_ROWS = 500
PAGE_BYTES = 1_000_000  # as stored, compressed
Row = dict[str, Any]


def plans_of(connection: Connection, job_id: str) -> list[Row]:
    """Return every version of the job's plan."""
    return _all(
        connection,
        """SELECT version, round, engine, document, hash, findings, price, created_at
          FROM plans WHERE job_id = :job_id ORDER BY version""",
        job_id=job_id,
    )


def planning_calls_of(connection: Connection, job_id: str) -> list[Row]:
    """Return what the planning model answered, unless it was erased."""
    return _all(
        connection,
        """SELECT round, no, request_hash, reply, created_at FROM planning_calls
          WHERE job_id = :job_id ORDER BY round, no""",
        job_id=job_id,
    )


def results_after(connection: Connection, stage_id: int, unit: int, replica: int) -> list[Row]:
    """Return outcomes that follow (unit, replica), in that order; at least one if there is any."""
    return _page(
        connection, "results", "unit, replica", "output",
        """r.unit, r.replica, r.outcome, r.code, r.detail, r.output,
          encode(r.unit_hash, 'hex') AS unit_hash, r.source, r.missing, r.attempt, r.worker_id,
          r.duration_ms, r.usage, r.settled_at""",
        stage_id, [unit, replica],
    )  # fmt: skip


def attempts_after(
    connection: Connection, stage_id: int, unit: int, replica: int, number: int
) -> list[Row]:
    """Return tries that follow (unit, replica, number), in that order; at least one if any."""
    return _page(
        connection, "attempts", "unit, replica, number", "raw",
        """r.unit, r.replica, r.number, r.outcome, r.code, r.detail, r.raw, r.raw_erased,
          r.usage, r.worker_id, r.duration_ms, r.ended_at""",
        stage_id, [unit, replica, number],
    )  # fmt: skip


def _page(
    connection: Connection, table: str, key: str, large: str, columns: str, stage_id: int,
    after: Sequence[int],
) -> list[Row]:  # fmt: skip
    """Page by key; the window counts stored bytes without fetching what it counts."""
    given = {f"after{no}": value for no, value in enumerate(after)}
    marks = ", ".join(f":{name}" for name in given)
    return _all(
        connection,
        f"""SELECT {columns} FROM (
            SELECT stage_id, {key}, coalesce(sum(coalesce(pg_column_size({large}), 0)) OVER
              (ORDER BY {key} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
            FROM (SELECT stage_id, {key}, {large} FROM {table}
              WHERE stage_id = :stage_id AND ({key}) > ({marks}) ORDER BY {key} LIMIT :rows) n) p
          JOIN {table} r USING (stage_id, {key})
          WHERE p.bytes_before <= :bytes ORDER BY {key}""",
        stage_id=stage_id, rows=PAGE_ROWS, bytes=PAGE_BYTES, **given,
    )  # fmt: skip


def _all(connection: Connection, sql: str, **values: Any) -> list[Row]:
    return [dict(row) for row in connection.execute(text(sql), values).mappings()]
