"""Asks the API whether it is ready, the stores whether they answer, and how many workers did."""

import http.client
from datetime import datetime

import psycopg
import redis

_TIMEOUT_S = 2.0


class StoreUnreachableError(RuntimeError):
    """A store that was given does not answer; the text names the setting, never the address."""


def answers(host: str, port: int, path: str) -> bool:
    """Tell whether ``GET path`` is answered with 200 within two seconds."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def require_stores(database_url: str, redis_url: str) -> None:
    """Raise StoreUnreachableError unless both stores answer."""
    require_database(database_url)
    client = redis.Redis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=5)
    try:
        client.ping()
    except redis.RedisError as error:
        raise StoreUnreachableError(f"Redis (APWA_REDIS_URL) does not answer: {error}") from error
    finally:
        client.close()


def require_database(database_url: str) -> None:
    """Raise StoreUnreachableError unless the database answers."""
    try:
        database_time(database_url)
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        text = f"the database (APWA_DATABASE_URL) does not answer: {reason}"
        raise StoreUnreachableError(text) from error


def database_revision(database_url: str) -> str | None:
    """Return the revision of the schema, None for a database without one."""
    with psycopg.connect(_libpq(database_url), connect_timeout=5) as connection:
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def database_time(database_url: str) -> datetime:
    """Return the database's clock, the only one that is compared with its own rows."""
    with psycopg.connect(_libpq(database_url), connect_timeout=5) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    if row is None:
        raise RuntimeError("the database told no time")
    found: datetime = row[0]
    return found


def workers_since(database_url: str, since: datetime) -> int:
    """Return how many workers have reported since then."""
    with psycopg.connect(_libpq(database_url), connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT count(*) FROM workers WHERE stopped_at IS NULL AND seen_at >= %s", [since]
        ).fetchone()
    return int(row[0]) if row else 0


def _libpq(database_url: str) -> str:
    return "postgresql://" + database_url.partition("://")[2]
