"""Takes hold of a job of the actor's project, and says no where its state does not allow."""

from shared.actions.actor import Actor
from shared.actions.refusals import FieldProblem, NotFound, WrongState
from shared.database import jobs
from shared.database.engine import Connection
from shared.database.jobs import JobRecord


def lock_own(tx: Connection, actor: Actor, job_id: str) -> JobRecord:
    """Return the job with its row locked; raise NotFound for another project's and unknown ones."""
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
