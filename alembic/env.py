"""Runs the migrations: one process at a time, never waiting long for a lock."""

from alembic import context
from sqlalchemy import Connection, text

LOCK = 4_027_001  # any number that nothing else of ours uses


def migrate(connection: Connection) -> None:
    """Apply pending revisions on `connection` in one transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    connection.execute(text("SET LOCAL statement_timeout = '10min'"))
    context.configure(connection=connection, transactional_ddl=True)
    context.run_migrations()


migrate(context.config.attributes["connection"])
