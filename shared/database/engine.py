"""The connection pool, and transactions that are run again when Postgres blinks."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
import psycopg
from psycopg.types.json import set_json_loads
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

__all__ = [
    "Connection",
    "DBAPIError",
    "Engine",
    "PoolTimeout",
    "SQLAlchemyError",
    "connect",
    "is_transient",
    "retrying",
    "to_json",
]

T = TypeVar("T")

_RETRIED = {
    "25P03",
    "40001",
    "40P01",
    "55P03",
    "57P01",
    "57P02",
    "57P03",
}  # frozen in a transaction, serialisation, deadlock, lock not available, restart


def connect(
    url: str, *, pool_size: int, application_name: str, statement_timeout_s: float = 60.0,
    idle_in_transaction_s: float = 60.0,
) -> Engine:  # fmt: skip
    """Return a pooled engine; nothing is opened until first use (so pools come after fork).

    A process that freezes inside a transaction holds its row locks for `idle_in_transaction_s`;
    who works under leases gives theirs. Waiting for a free connection ends after 4 s with
    `PoolTimeout`. Server-side prepared statements are off: they break behind a transaction pooler.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=4,
        pool_pre_ping=True,
        hide_parameters=True,  # row data must not reach logs through errors
        connect_args={
            "connect_timeout": 4,
            "prepare_threshold": None,
            "application_name": application_name,
            "options": f"-c statement_timeout={int(statement_timeout_s * 1000)} -c timezone=UTC "
            f"-c idle_in_transaction_session_timeout={int(idle_in_transaction_s * 1000)}",
        },
    )
    event.listen(engine, "connect", _use_orjson)
    return engine


def to_json(value: Any) -> str:
    """Return `value` as JSON text for a ``CAST(:x AS jsonb)`` parameter."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def is_transient(error: BaseException) -> bool:
    """True when the same transaction may well succeed a moment later (pitfall 7 and 8 of 09)."""
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeout)):
        return getattr(getattr(error, "orig", None), "sqlstate", None) not in {"53100"}
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or getattr(error.orig, "sqlstate", "") in _RETRIED
    return False


def retrying(engine: Engine, work: Callable[[Connection], T], *, for_s: float = 30.0) -> T:
    """Run `work` in a transaction; again, with growing pauses, while the failure is transient.

    `work` must be repeatable by its natural keys: an unknown COMMIT outcome counts as failure.
    Raises the last error once `for_s` seconds have passed.
    """
    deadline, pause = time.monotonic() + for_s, 0.05
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except (DBAPIError, PoolTimeout) as error:
            if not is_transient(error) or time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def _use_orjson(connection: psycopg.Connection[Any], _record: object) -> None:
    set_json_loads(orjson.loads, connection)
