"""Brings a database to the newest schema; no alembic.ini, the folder beside the code is enough."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from shared.database.engine import connect
from shared.settings import Settings

FOLDER = Path(__file__).parents[2] / "alembic"


def migrate(settings: Settings) -> bool:
    """Apply what is pending; returns whether anything was."""
    engine = connect(settings.sqlalchemy_url, pool_size=1, application_name="apwa-migrate")
    try:
        with engine.begin() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            if found == newest_revision():
                return False
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return True
    finally:
        engine.dispose()


def newest_revision() -> str | None:
    """Return the last revision of the code."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
