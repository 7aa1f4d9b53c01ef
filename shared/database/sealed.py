"""Every column that holds a sealed secret, to seal all of them anew with another key."""

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, text

# (table, its key, the column); whoever adds a sealed column adds it here
COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("webhook_endpoints", "id", "secret"),
    ("webhook_endpoints", "id", "former_secret"),
    ("webhook_secrets", "project_id", "secret"),
    ("webhook_secrets", "project_id", "former_secret"),
    ("triggers", "id", "secret"),
    ("triggers", "id", "former_secret"),
)


def renew(connection: Connection, renewed: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Write every sealed value as `renewed` returns it; yield (table, key) of each.

    The rows stay locked until the transaction ends, so nothing rotated meanwhile is lost.
    """
    for table, key, column in COLUMNS:
        rows = connection.execute(
            text(f"""SELECT {key} AS key, {column} AS sealed FROM {table}
              WHERE {column} IS NOT NULL ORDER BY {key} FOR UPDATE""")
        ).all()
        for row in rows:
            connection.execute(
                text(f"UPDATE {table} SET {column} = :sealed WHERE {key} = :key"),
                {"key": row.key, "sealed": renewed(row.sealed)},
            )
            yield table, row.key
