"""Which request a job came with, for the lines this process logs about it."""

import threading
from collections import OrderedDict
from contextlib import AbstractContextManager

from shared.database import jobs
from shared.database.engine import DBAPIError, Engine, PoolTimeout, is_transient
from shared.log import working_for

_KEPT_JOBS = 256
Origin = tuple[str | None, str | None]  # request id, traceparent


class Origins:
    """A small cache: one query for each job, not for each shard."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[str, Origin] = OrderedDict()
        self._lock = threading.Lock()

    def bound(self, job_id: str) -> AbstractContextManager[None]:
        """Bind the job's request id and trace to the lines of this thread."""
        with self._lock:
            known = self._known.get(job_id)
        return working_for(*(known or self._look_up(job_id)))

    def _look_up(self, job_id: str) -> Origin:
        """Ask the database; a line without these ids is better than a shard that waits for them."""
        try:
            with self._engine.connect() as connection:
                found = jobs.origin(connection, job_id)
        except (DBAPIError, PoolTimeout) as error:
            if not is_transient(error):
                raise
            return None, None
        with self._lock:
            self._known[job_id] = found
            if len(self._known) > _KEPT_JOBS:
                self._known.popitem(last=False)
        return found
