"""Pauses a job: no call is made until it is resumed, what was settled stays readable."""

from collections.abc import Callable

from shared.actions.actor import Actor
from shared.actions.own_job import lock_own, wrong_state
from shared.database import audit, job_control
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord


@again_if_rolled_back
def pause_job(
    engine: Engine,
    actor: Actor,
    job_id: str,
    before_commit: Callable[[Connection, JobRecord], None],
) -> JobRecord:
    """-> paused by this actor. Units under way may end; no unit loses an attempt by it.

    Raises NotFound, and WrongState for a job that is not queued, planning, piloting or running.
    """
    with engine.begin() as tx:
        job = lock_own(tx, actor, job_id)
        reason = {"kind": "paused", "by": actor.name}
        paused = job_control.pause(tx, job_id, reason, actor=actor.name)
        if paused is None:
            raise wrong_state(job, "only a job that is queued, planned or worked can be paused")
        audit.append(tx, actor.project_id, actor.name, "job.pause", job_id)
        before_commit(tx, paused)
    return paused
