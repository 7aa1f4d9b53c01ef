"""What projects have and use, counted for their quotas."""

from sqlalchemy import Connection, text


def own(connection: Connection, project_id: str) -> dict[str, int]:
    """Return the quotas a project has of its own; those it lacks are the deployment's."""
    found: dict[str, int] | None = connection.execute(
        text("SELECT quotas FROM projects WHERE id = :id"), {"id": project_id}
    ).scalar_one_or_none()
    return dict(found or {})


def open_jobs(connection: Connection, project_id: str, most: int) -> int:
    """Return how many jobs of a project are not final, counting to `most`."""
    return int(
        connection.execute(
            text("""SELECT count(*) FROM (SELECT 1 FROM jobs
              WHERE project_id = :id AND finished_at IS NULL LIMIT :most) j"""),
            {"id": project_id, "most": most},
        ).scalar_one()
    )


def stored_bytes(connection: Connection, project_id: str) -> int:
    """Return what the tables of a project take, as stored; those being loaded count when sealed."""
    return int(
        connection.execute(
            text("""SELECT coalesce(sum(byte_count), 0) FROM tables
              WHERE project_id = :id AND status <> 'erased'"""),
            {"id": project_id},
        ).scalar_one()
    )


def rows_of(connection: Connection, table_ids: list[str]) -> int:
    """Return how many rows some tables have together."""
    return int(
        connection.execute(
            text("SELECT coalesce(sum(row_count), 0) FROM tables WHERE id = ANY(:ids)"),
            {"ids": table_ids},
        ).scalar_one()
    )


def seconds_to_midnight(connection: Connection) -> int:
    """Return how long it is to midnight UTC, by the database's clock."""
    return int(
        connection.execute(
            text("""SELECT ceil(extract(epoch FROM
              date_trunc('day', clock_timestamp()) + interval '1 day' - clock_timestamp()))""")
        ).scalar_one()
    )
