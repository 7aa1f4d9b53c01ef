"""Finalizes a job on request: nothing new begins, and it ends with what is there."""

from collections.abc import Callable

from shared.actions.actor import Actor
from shared.actions.finish_early import finish_now
from shared.actions.own_job import lock_own, wrong_state
from shared.database import audit
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord


@again_if_rolled_back
def finalize_job(
    engine: Engine,
    actor: Actor,
    job_id: str,
    settle_s: float,
    before_commit: Callable[[Connection, JobRecord], None],
) -> JobRecord:
    """-> finalizing; the caller rings the collector after this. Calls in flight may settle.

    Raises NotFound, and WrongState for a job that is final or ends already.
    """
    with engine.begin() as tx:
        job = lock_own(tx, actor, job_id)
        reason = {"kind": "finalized", "by": actor.name}
        ended = finish_now(tx, job_id, reason, actor=actor.name, settle_s=settle_s)
        if ended is None:
            raise wrong_state(job, "only a job that has not ended can be finalized")
        audit.append(tx, actor.project_id, actor.name, "job.finalize", job_id)
        before_commit(tx, ended)
    return ended
