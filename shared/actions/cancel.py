"""Stops a job: nothing new starts, what was settled stays readable."""

from collections.abc import Callable

from shared.actions.actor import Actor
from shared.actions.refusals import FieldProblem, NotFound, WrongState
from shared.actions.stop_job import stop_job
from shared.database import audit, jobs
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord


@again_if_rolled_back
def cancel_job(
    engine: Engine,
    actor: Actor,
    job_id: str,
    before_commit: Callable[[Connection, JobRecord], None],
) -> JobRecord:
    """Move the job to `finalizing` as cancelled; the caller rings the collector after this.

    From here on no claim, heartbeat or write of its shards succeeds.

    Raises NotFound, and WrongState for a job that is final.
    """
    with engine.begin() as connection:
        job = jobs.find(connection, job_id, actor.project_id)
        if job is None:
            raise NotFound("job")
        locked = jobs.lock(connection, job_id)
        cancelled = stop_job(connection, job_id, "cancelled", actor=actor.name)
        if cancelled is None:
            status = locked.status if locked else job.status
            raise WrongState(
                "wrong_state",
                f"The job is {status}; only a job that is not final can be cancelled.",
                [FieldProblem("/status", status)],
            )
        audit.append(connection, actor.project_id, actor.name, "job.cancel", job_id)
        before_commit(connection, cancelled)
    return cancelled
