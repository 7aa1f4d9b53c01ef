"""Keeps the planning lease of one job while its planner works."""

import threading
from types import TracebackType

from shared.database import jobs
from shared.database.engine import Engine, SQLAlchemyError


class PlanningLease:
    """Extends the lease from a thread of its own; gives it back at the end.

    `lost` turns True when another planner took over or the job stopped; what was begun then
    must not go on.
    """

    def __init__(self, engine: Engine, job_id: str, planner_id: str, lease_s: float) -> None:
        self._engine, self._job_id, self._planner_id = engine, job_id, planner_id
        self._lease_s = lease_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._extend, name="planning-lease", daemon=True)
        self.lost = False

    def __enter__(self) -> "PlanningLease":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stop.set()
        self._thread.join()
        with self._engine.begin() as tx:
            jobs.release_planning(tx, self._job_id, self._planner_id)

    def _extend(self) -> None:
        while not self._stop.wait(self._lease_s / 3):
            try:
                with self._engine.begin() as tx:
                    held = jobs.extend_planning(tx, self._job_id, self._planner_id, self._lease_s)
            except SQLAlchemyError:
                continue  # the lease outlives a short blink; its end is another planner's start
            if not held:
                self.lost = True
                return
