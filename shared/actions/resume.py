"""Resumes a paused job, whoever or whatever paused it."""

from collections.abc import Callable

from shared.actions.actor import Actor
from shared.actions.own_job import lock_own, wrong_state
from shared.database import audit, job_control, spend
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord
from shared.domain.budget import budget_of


@again_if_rolled_back
def resume_job(
    engine: Engine,
    actor: Actor,
    job_id: str,
    before_commit: Callable[[Connection, JobRecord], None],
) -> JobRecord:
    """paused -> where it was; the caller rings planner, dispatch and collector after this.

    Raises NotFound, and WrongState for a job that is not paused.
    """
    with engine.begin() as tx:
        job = lock_own(tx, actor, job_id)
        resumed = job_control.resume(tx, job_id, actor=actor.name)
        if resumed is None:
            raise wrong_state(job, "only a paused job can be resumed")
        budget = budget_of(resumed.policy)
        if budget.given:  # an account opened while the budget was edited has the old one
            spend.set_budget(tx, job_id, budget)
        audit.append(tx, actor.project_id, actor.name, "job.resume", job_id)
        before_commit(tx, resumed)
    return resumed
