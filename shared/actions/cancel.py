"""Stops a job: nothing new starts, what was settled stays readable."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from shared.actions.actor import Actor
from shared.actions.refusals import FieldProblem, NotFound, WrongState
from shared.database import audit, events, jobs
from shared.database.jobs import JobRecord


def cancel_job(
    engine: Engine,
    actor: Actor,
    job_id: str,
    before_commit: Callable[[Connection, JobRecord], None],
) -> JobRecord:
    """Move the job to `finalizing` as cancelled; the caller rings the collector after this.

    From here on no claim or heartbeat of its shards succeeds; the collector ends them.

    Raises NotFound, and WrongState for a job that is final.
    """
    with engine.begin() as connection:
        job = jobs.find(connection, job_id, actor.project_id)
        if job is None:
            raise NotFound("job")
        locked = jobs.lock(connection, job_id)
        cancelled = jobs.cancel(connection, job_id)
        if cancelled is None:
            status = locked.status if locked else job.status
            raise WrongState(
                "wrong_state",
                f"The job is {status}; only a job that is not final can be cancelled.",
                [FieldProblem("/status", status)],
            )
        events.append(connection, job_id, "job.cancelling", actor=actor.name, data={})
        audit.append(connection, actor.project_id, actor.name, "job.cancel", job_id)
        before_commit(connection, cancelled)
    return cancelled
