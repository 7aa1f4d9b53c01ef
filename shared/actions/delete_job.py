"""Deletes a final job: nothing of it can be read from here on; the collector erases the rest."""

from shared.actions.actor import Actor
from shared.actions.own_job import find_own, wrong_state
from shared.database import audit, erasure, events
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord


@again_if_rolled_back
def delete_job(engine: Engine, actor: Actor, job_id: str) -> JobRecord:
    """Leave a tombstone and return it; a second time it is only returned.

    Raises NotFound, and WrongState for a job that is not final.
    """
    with engine.begin() as tx:
        job = find_own(tx, actor, job_id)
        if job.deleted_at is not None:
            return job
        if job.finished_at is None:
            raise wrong_state(job, "only a final job can be deleted; cancel it first")
        return bury_job(tx, actor, job)


def bury_job(tx: Connection, actor: Actor, job: JobRecord) -> JobRecord:
    """Leave the tombstone of a final job whose row is locked, and return it."""
    erasure.bury(tx, job.id)
    events.append(tx, job.id, "job.deleted", actor=actor.name, data={})
    audit.append(tx, actor.project_id, actor.name, "job.delete", job.id)
    return find_own(tx, actor, job.id)
