"""Row locks on tables, so that none is erased while a job is being made of it."""

from collections.abc import Sequence

from sqlalchemy import Connection, text


def hold(connection: Connection, table_ids: Sequence[str]) -> None:
    """Keep these tables from changing until the transaction ends; many may hold one."""
    connection.execute(
        text("SELECT 1 FROM tables WHERE id = ANY(:ids) ORDER BY id FOR SHARE"),
        {"ids": list(table_ids)},
    )


def hold_alone(connection: Connection, table_id: str) -> None:
    """Wait until nobody holds the table, then keep others from it until the transaction ends."""
    connection.execute(text("SELECT 1 FROM tables WHERE id = :id FOR UPDATE"), {"id": table_id})


def drop_loading(connection: Connection, table_ids: Sequence[str]) -> None:
    """Delete loads that came to nothing, with their chunks."""
    connection.execute(
        text("DELETE FROM tables WHERE id = ANY(:ids) AND status = 'loading'"),
        {"ids": list(table_ids)},
    )
