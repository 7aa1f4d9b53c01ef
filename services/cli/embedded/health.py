"""Asks the API whether it is ready, and the database how many workers have reported."""

import http.client
from datetime import datetime

import psycopg

_TIMEOUT_S = 2.0


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
