"""Ends a job that planner or collector cannot get through, instead of trying for ever."""

from shared.actions.stop_job import stop_job
from shared.database import jobs
from shared.database.engine import DBAPIError, Engine, PoolTimeout, is_transient

MOST_TROUBLE = 5


def note_trouble(engine: Engine, job_id: str, who: str, error: Exception) -> None:
    """Count an unexpected error of `who` on the job; at the fifth the job ends as failed.

    A database that is away for a moment is no trouble of the job.
    """
    if isinstance(error, (DBAPIError, PoolTimeout)) and is_transient(error):
        return
    said = getattr(error, "orig", error)  # a database error without its statement and values
    detail = f"{type(error).__name__}: {said}".replace("\x00", "")[:500]
    with engine.begin() as tx:
        if jobs.note_trouble(tx, job_id, who, detail) >= MOST_TROUBLE:
            told = {"code": "internal_error", "detail": f"The {who} cannot go on: {detail}"}
            stop_job(tx, job_id, "failed", actor=who, error=told)
