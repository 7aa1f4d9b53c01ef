"""The connection pool, and transactions that are run again when Postgres blinks."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import orjson
import psycopg
from psycopg.types.json import set_json_loads
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.database.patient_connection import open_patiently

__all__ = [
    "Connection",
    "DBAPIError",
    "Engine",
    "PoolTimeout",
    "SQLAlchemyError",
    "again_if_rolled_back",
    "connect",
    "is_full",
    "is_transient",
    "retrying",
    "to_json",
]

P = ParamSpec("P")
T = TypeVar("T")

FULL = "53100"
ANSWER_S = 5.0  # what a server gets beyond the time of a statement before it counts as gone
_ROLLED_BACK = {"40001", "40P01"}  # serialisation, deadlock: surely nothing was done
_TRIES = 5
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
    `PoolTimeout`; for a server that does not answer, a moment after the statement timeout with
    OperationalError. Server-side prepared statements are off: they break behind a transaction
    pooler.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=4,
        pool_pre_ping=True,
        hide_parameters=True,  # row data must not reach logs through errors
        connect_args={
            "prepare_threshold": None,
            "application_name": application_name,
            "options": f"-c statement_timeout={int(statement_timeout_s * 1000)} -c timezone=UTC "
            f"-c idle_in_transaction_session_timeout={int(idle_in_transaction_s * 1000)}",
        },
    )
    event.listen(engine, "do_connect", _patiently(statement_timeout_s + ANSWER_S))
    event.listen(engine, "connect", _use_orjson)
    return engine


def to_json(value: Any) -> str:
    """Return `value` as JSON text for a ``CAST(:x AS jsonb)`` parameter."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def is_transient(error: BaseException) -> bool:
    """True when the same transaction may well succeed a moment later (pitfall 7 and 8 of 09).

    A full disk is nobody's fault either: it passes when somebody makes room. Of a group of errors
    it is enough that one is transient: the others were ended with it.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(is_transient(one) for one in error.exceptions)
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeout)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _sqlstate(error) in _RETRIED
    return False


def is_full(error: BaseException) -> bool:
    """True when the database's disk is full: that does not pass within a moment."""
    return _sqlstate(error) == FULL


def retrying(
    engine: Engine, work: Callable[[Connection], T], *, for_s: float = 30.0,
    until: Callable[[], bool] | None = None,
) -> T:  # fmt: skip
    """Run `work` in a transaction; again, with growing pauses, while the failure is transient.

    `work` must be repeatable by its natural keys: an unknown COMMIT outcome counts as failure.
    Raises the last error once `for_s` seconds have passed, and at once when the disk is full. With
    `until` it goes on through both until that says True: for whoever holds what would be lost.
    """
    deadline, pause = time.monotonic() + for_s, 0.05
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except (DBAPIError, PoolTimeout) as error:
            if until is None:
                over = is_full(error) or time.monotonic() + pause > deadline
            else:
                over = until()
            if over or not is_transient(error):
                raise
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def again_if_rolled_back(work: Callable[P, T]) -> Callable[P, T]:
    """Call `work` again when Postgres rolled its transaction back in favour of another one.

    For work that must not be repeated when the outcome of its COMMIT is unknown; a deadlock or a
    serialisation failure leaves no doubt. Other errors are raised as they are.
    """

    @wraps(work)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        for tried in range(1, _TRIES):
            try:
                return work(*args, **kwargs)
            except DBAPIError as error:
                if _sqlstate(error) not in _ROLLED_BACK:
                    raise
            time.sleep(random.uniform(0, 0.02 * 2**tried))  # noqa: S311 - apart from the other one
        return work(*args, **kwargs)

    return repeated


def _sqlstate(error: BaseException) -> str | None:
    state: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state


def _patiently(answer_s: float) -> Callable[..., psycopg.Connection[Any]]:
    def open_one(
        _dialect: object, _record: object, words: list[Any], options: dict[str, Any]
    ) -> psycopg.Connection[Any]:
        return open_patiently(answer_s, *words, **options)

    return open_one


def _use_orjson(connection: psycopg.Connection[Any], _record: object) -> None:
    set_json_loads(orjson.loads, connection)
