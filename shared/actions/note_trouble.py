"""Ends a job that planner or collector cannot get through, instead of trying for ever."""

from typing import Literal

from shared.actions.stop_job import stop_job
from shared.database import jobs
from shared.database.engine import DBAPIError, Engine, PoolTimeout, is_transient

MOST_TROUBLE = 5

Turn = Literal["plan", "cut", "collect"]  # what of a job was tried: plan it, cut its stream, ...
_WHO: dict[Turn, str] = {"plan": "planner", "cut": "planner", "collect": "collector"}


def note_trouble(engine: Engine, job_id: str, turn: Turn, error: Exception) -> None:
    """Count an unexpected error of a turn on the job; at the fifth the job ends as failed.

    A database that is away for a moment is no trouble of the job.
    """
    if isinstance(error, (DBAPIError, PoolTimeout)) and is_transient(error):
        return
    said = getattr(error, "orig", error)  # a database error without its statement and values
    detail = f"{type(error).__name__}: {said}".replace("\x00", "")[:500]
    who = _WHO[turn]
    with engine.begin() as tx:
        if jobs.note_trouble(tx, job_id, who, turn, detail) >= MOST_TROUBLE:
            told = {"code": "internal_error", "detail": f"The {who} cannot go on: {detail}"}
            stop_job(tx, job_id, "failed", actor=who, error=told)


def forget_trouble(engine: Engine, job_id: str, turn: Turn) -> None:
    """Count from none again once a turn of the kind that raised last has done its work.

    The caller says so only of a turn that did it: one that found another at it shows nothing.
    """
    with engine.begin() as tx:
        jobs.forget_trouble(tx, job_id, turn)
