"""A connection that gives up on a server that no longer answers; libpq itself waits for ever."""

from typing import Any, TypeVar

import psycopg

CONNECT_S = 4
PING_S = 4.0  # a server that answers at all says so at once
_GONE = {  # a peer that vanished without a word: keepalives while we wait, a limit while we send
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
T = TypeVar("T")


class PatientConnection(psycopg.Connection[Any]):
    """Waits `answer_s` for each answer, then is closed and raises OperationalError.

    The server's own statement timeout comes first as long as the server lives: this is for one
    that is frozen, or cut off without a word.
    """

    answer_s = 65.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Consume what speaks with the server, within the limit."""
        limit_s = PING_S if self.autocommit else self.answer_s  # the pool pings in autocommit
        try:
            return super().wait(gen, interval, min(timeout or limit_s, limit_s))
        except psycopg.OperationalError as error:
            if isinstance(error, psycopg.errors.QueryCanceled) or not self._still_waits():
                raise
            self.pgconn.finish()  # whatever comes later would be the answer to another question
            told = f"the server did not answer within {limit_s:g} s"
            raise psycopg.OperationalError(told) from error

    def _still_waits(self) -> bool:
        return self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE


def open_patiently(answer_s: float, *words: Any, **options: Any) -> PatientConnection:
    """Connect within `CONNECT_S`; `words` and `options` are psycopg's."""
    connection = PatientConnection.connect(
        *words, **{"connect_timeout": CONNECT_S, **_GONE, **options}
    )
    connection.answer_s = answer_s
    return connection
