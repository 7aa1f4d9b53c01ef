"""The purses of a process, and the one thread that fills and settles them."""

import queue
import threading
from collections.abc import Callable
from functools import partial

from shared.database import spend
from shared.database.engine import Connection, DBAPIError, Engine, PoolTimeout, retrying
from shared.domain.budget import Budget, Busy, Exhausted
from shared.llm.purse import Purse, Statement
from shared.log import get_logger

__all__ = ["Purse", "Purses"]

IDLE_S = 3.0  # a purse nobody used for so long is handed back
FORGET_S = 3_600.0
_BEAT, _STOP = "beat", "stop"


class Purses:
    """What this process has reserved, by job.

    Slices are reserved under a lease that `beat` extends; call it as often as leases want it. The
    database is spoken to by a thread of its own, so a slow one delays neither loop nor heartbeat.
    """

    def __init__(
        self, engine: Engine, worker_id: str, *, lease_s: float, default: Budget,
        unpriced_tokens: int | None = None, microusd_per_day: int = 0,
        exhausted: Callable[[str, Exhausted], None] = lambda _job_id, _why: None,
    ) -> None:  # fmt: skip
        """Keep slices for `lease_s`; `default` holds for jobs and projects that give no budget.

        `microusd_per_day` is what a project without a quota of its own may spend in a day.
        `exhausted(job_id, why)` is called from the purses' thread when a job is at its limit.
        """
        self._engine, self._worker_id = engine, worker_id
        self._lease_s, self._default, self._exhausted = lease_s, default, exhausted
        self._unpriced_tokens, self._microusd_per_day = unpriced_tokens, microusd_per_day
        self._purses: dict[str, Purse] = {}
        self._booked: dict[str, Statement] = {}
        self._lock = threading.Lock()
        self._due: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="purses", daemon=True)
        self._thread.start()

    def of(self, job_id: str) -> Purse:
        """Return the purse of a job; an empty one the first time, which fills when it is used."""
        with self._lock:
            purse = self._purses.get(job_id)
            if purse is None:
                purse = self._purses[job_id] = Purse(lambda: self._due.put(job_id))
            return purse

    def beat(self) -> None:
        """Settle all, hand back what lies idle, extend leases: soon, on the purses' own thread."""
        self._due.put(_BEAT)

    def close(self, wait_s: float = 5.0) -> None:
        """Settle all and give everything back."""
        self._due.put(_STOP)
        self._thread.join(wait_s)

    def settle(self, connection: Connection, job_id: str) -> None:
        """Settle one job inside the caller's transaction, beside the outcomes it paid for."""
        purse = self.of(job_id)
        with purse.turn:
            self._book(connection, job_id, purse, purse.statement())

    def _run(self) -> None:
        while True:
            due = self._due.get()
            try:
                if due == _STOP:
                    self._settle_all(hand_back=True)
                    return
                if due == _BEAT:
                    self._settle_all(hand_back=False)
                else:
                    self._fill(due)
            except (DBAPIError, PoolTimeout) as error:
                get_logger(worker_id=self._worker_id).warning(
                    "purse_not_booked", due=due, error=type(error).__name__
                )
                if due == _STOP:
                    return
                if due != _BEAT:
                    self.of(due).refused(Busy("job", "microusd"))

    def _fill(self, job_id: str) -> None:
        purse = self.of(job_id)
        with purse.turn:
            ask = purse.ask()
            if ask is None:
                return

            def reserve(tx: Connection) -> spend.Reserved | Busy | Exhausted:
                spend.open_account(tx, job_id, self._default, self._unpriced_tokens)
                self._book(tx, job_id, purse, purse.statement())  # so that the books are up to date
                return spend.reserve(
                    tx, job_id, self._worker_id, ask, self._lease_s,
                    microusd_per_day=self._microusd_per_day,
                )  # fmt: skip

            got = retrying(self._engine, reserve, for_s=self._lease_s)
            if isinstance(got, spend.Reserved):
                purse.start_from(got.settled, got.unanswered)
                purse.filled(got.granted)
            else:
                purse.refused(got)
                # Crumbs too small for a call, one in each process, would keep the last calls of
                # a budget from ever going out and the job from ever being told it is at its end.
                self._book_alone(job_id, purse, purse.statement(hand_back=True))
        if isinstance(got, Exhausted):
            self._exhausted(job_id, got)

    def _settle_all(self, *, hand_back: bool) -> None:
        with self._lock:
            purses = dict(self._purses)
        for job_id, purse in purses.items():
            with purse.turn:
                stated = purse.statement(hand_back=hand_back or purse.idle_s > IDLE_S)
                if stated != self._booked.get(job_id):
                    self._book_alone(job_id, purse, stated)
            if purse.idle_s > FORGET_S:
                self._forget(job_id)
        retrying(
            self._engine,
            lambda tx: spend.extend(tx, self._worker_id, self._lease_s),
            for_s=self._lease_s,
        )

    def _book_alone(self, job_id: str, purse: Purse, stated: Statement) -> None:
        book = partial(self._book, job_id=job_id, purse=purse, stated=stated)
        retrying(self._engine, book, for_s=self._lease_s)
        self._booked[job_id] = stated

    def _book(self, tx: Connection, job_id: str, purse: Purse, stated: Statement) -> None:
        reserved = spend.settle(
            tx, job_id, self._worker_id, stated.spent, stated.holding, self._lease_s,
            unanswered=stated.unanswered,
        )  # fmt: skip
        purse.confirm(stated, reserved)

    def _forget(self, job_id: str) -> None:
        with self._lock:
            self._purses.pop(job_id, None)
            self._booked.pop(job_id, None)
