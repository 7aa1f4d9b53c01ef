"""Takes hold of a job of the actor's project, and says no where its state does not allow."""

from shared.actions.actor import Actor
from shared.actions.refusals import FieldProblem, Gone, NotFound, WrongState
from shared.database import jobs
from shared.database.engine import Connection
from shared.database.jobs import JobRecord


def lock_own(tx: Connection, actor: Actor, job_id: str) -> JobRecord:
    """Return the job with its row locked.

    Raises NotFound for another project's and unknown ones, Gone for one that was deleted.
    """
    job = find_own(tx, actor, job_id)
    if job.deleted_at is not None:
        raise Gone("job")
    return job


def find_own(tx: Connection, actor: Actor, job_id: str) -> JobRecord:
    """Return the job with its row locked, or its tombstone; raise NotFound as `lock_own` does."""
    if jobs.find(tx, job_id, actor.project_id) is None:
        raise NotFound("job")
    job = jobs.lock(tx, job_id)
    if job is None:
        raise NotFound("job")
    return job


def wrong_state(job: JobRecord, rule: str) -> WrongState:
    """Return the refusal that names the state the job is in; `rule` says which would do."""
    problem = FieldProblem("/status", job.status)
    return WrongState("wrong_state", f"The job is {job.status}; {rule}.", [problem])
