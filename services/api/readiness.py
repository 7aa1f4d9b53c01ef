"""Whether this process can do its work: database, its schema, broker."""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from services.api.wired import Wired
from shared.database.engine import Engine, SQLAlchemyError

_MIGRATIONS = Path(__file__).parents[2] / "alembic"


def checks(wired: Wired) -> dict[str, str]:
    """Return ``ok`` or a sentence for `database`, `migrations` and `broker`."""
    found = _database(wired.engine)
    broker = "ok" if wired.broker_answers() else "Redis does not answer."
    return {**found, "broker": broker}


def _database(engine: Engine) -> dict[str, str]:
    try:
        with engine.connect() as connection:
            at = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        told = f"The database does not answer ({type(error).__name__})."
        return {"database": told, "migrations": "unknown"}
    newest = newest_revision()
    if at == newest:
        return {"database": "ok", "migrations": "ok"}
    return {"database": "ok", "migrations": f"The database is at {at}, the code needs {newest}."}


@cache
def newest_revision() -> str | None:
    """Return the last revision this code knows."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config).get_current_head()
