"""Finishes jobs whose deadline has passed, whatever they wait for."""

from functools import partial

from shared.actions.finish_early import finish_now
from shared.broker.tried import tried
from shared.database import jobs
from shared.database.engine import Connection, Engine, retrying
from shared.log import get_logger

JOBS_IN_ONE_LOOK = 50


def finish_overdue(engine: Engine, settle_s: float) -> set[str]:
    """Look for passed deadlines, by the database's clock; return the jobs that finish now."""
    with engine.connect() as connection:
        due = jobs.overdue(connection, JOBS_IN_ONE_LOOK)
    finish = {job_id: partial(_finish, job_id, settle_s) for job_id in due}
    return {
        job_id
        for job_id, work in finish.items()
        if tried("rescue", partial(retrying, engine, work), job_id)
    }


def _finish(job_id: str, settle_s: float, tx: Connection) -> bool:
    job = jobs.lock(tx, job_id)
    if job is None or job.deadline_at is None:
        return False
    reason = {"kind": "deadline", "deadline_at": f"{job.deadline_at:%Y-%m-%dT%H:%M:%S.%fZ}"}
    ended = finish_now(
        tx, job_id, reason, actor="collector", settle_s=settle_s, overdue=True
    )  # fmt: skip
    if ended is not None:
        get_logger(job_id=job_id).info("deadline_passed")
    return ended is not None
