"""The first API key of a database: made once, kept beside the stack, made again if it is gone."""

from shared.actions.actor import SCOPES, SYSTEM
from shared.actions.keys import create_key, ensure_default_project, hash_of
from shared.database import keys
from shared.database.engine import connect
from shared.settings import Settings


def first_key(settings: Settings, known: str | None) -> str:
    """Return ``known`` if the database accepts it, else a new key of the project `default`."""
    engine = connect(settings.sqlalchemy_url, pool_size=1, application_name="apwa-keys")
    try:
        with engine.begin() as connection:
            if known and keys.find_live(connection, hash_of(known)):
                return known
            project_id = ensure_default_project(connection)
            _key_id, secret = create_key(connection, project_id, "first key", (*SCOPES, SYSTEM))
            return secret
    finally:
        engine.dispose()
