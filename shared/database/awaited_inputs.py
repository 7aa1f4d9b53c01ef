"""Inputs of a job that are fetched from an address before it is planned.

Until then a table stands for the input that is `loading` and holds the address; what was fetched
is another table, which takes its place.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json

_IS_AWAITED = "t.status = 'loading' AND t.report ? 'awaits'"


@dataclass(frozen=True, slots=True)
class AwaitedInput:
    """One input that is not there yet, and where it is to come from."""

    name: str
    table_id: str  # of the table that stands for it
    key: str | None
    url: str
    format: str | None
    sheet: str | None


def insert(
    connection: Connection, table_id: str, project_id: str, job_id: str, name: str,
    source: dict[str, Any],
) -> None:  # fmt: skip
    """Add the table that stands for an input; `source` is ``{url, format, sheet}``."""
    connection.execute(
        text("""INSERT INTO tables (id, project_id, job_id, name, kind, status, report)
          VALUES (:id, :project_id, :job_id, :name, 'input', 'loading', CAST(:report AS jsonb))"""),
        {"id": table_id, "project_id": project_id, "job_id": job_id, "name": name,
         "report": to_json({"awaits": source})},
    )  # fmt: skip


def of_job(connection: Connection, job_id: str) -> list[AwaitedInput]:
    """Return what a job waits for, by name."""
    rows = connection.execute(
        text(f"""SELECT i.name, i.table_id, i.key, t.report->'awaits' AS source
          FROM job_inputs i JOIN tables t ON t.id = i.table_id
          WHERE i.job_id = :job_id AND {_IS_AWAITED} ORDER BY i.name"""),
        {"job_id": job_id},
    )
    return [AwaitedInput(row.name, row.table_id, row.key, **row.source) for row in rows]


def any_of_job(connection: Connection, job_id: str) -> bool:
    """Return True while a job that is to be planned waits for an input."""
    return bool(
        connection.execute(
            text(f"""SELECT EXISTS (SELECT 1 FROM job_inputs i JOIN tables t ON t.id = i.table_id
              JOIN jobs j ON j.id = i.job_id WHERE i.job_id = :job_id AND {_IS_AWAITED}
                AND j.status IN ('queued', 'planning'))"""),
            {"job_id": job_id},
        ).scalar_one()
    )


def arrive(connection: Connection, job_id: str, awaited: AwaitedInput, table_id: str) -> None:
    """Make a sealed table the input; the one that stood for it is gone."""
    connection.execute(
        text("""UPDATE job_inputs SET table_id = :new
          WHERE job_id = :job_id AND name = :name AND table_id = :old"""),
        {"job_id": job_id, "name": awaited.name, "old": awaited.table_id, "new": table_id},
    )
    connection.execute(
        text("DELETE FROM tables WHERE id = :id AND status = 'loading'"), {"id": awaited.table_id}
    )
