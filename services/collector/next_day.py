"""Resumes jobs that paused because their project had spent what it may in a day."""

from functools import partial

from shared.broker.tried import tried
from shared.database import job_control, jobs
from shared.database.engine import Connection, Engine, retrying
from shared.log import get_logger

JOBS_IN_ONE_LOOK = 50


def resume_next_day(engine: Engine) -> set[str]:
    """Look for pauses whose day (UTC) is over, by the database's clock; return who goes on."""
    with engine.connect() as connection:
        due = job_control.due_next_day(connection, JOBS_IN_ONE_LOOK)
    resume = {job_id: partial(_resume, job_id) for job_id in due}
    return {
        job_id
        for job_id, work in resume.items()
        if tried("rescue", partial(retrying, engine, work), job_id)
    }


def _resume(job_id: str, tx: Connection) -> bool:
    if jobs.lock(tx, job_id) is None or not job_control.due_next_day(tx, 1, job_id):
        return False  # resumed since, or paused for another reason
    resumed = job_control.resume(tx, job_id, actor="collector")
    if resumed is not None:
        get_logger(job_id=job_id).info("resumed_next_day")
    return resumed is not None
