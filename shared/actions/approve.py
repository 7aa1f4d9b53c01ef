"""Says yes or no to the plan of a job that waits for it."""

from collections.abc import Callable, Collection
from typing import Any

from shared.actions.actor import Actor
from shared.actions.own_job import lock_own, wrong_state
from shared.actions.refusals import Refusal, Stale
from shared.database import audit, events, job_control, plans, spend
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord
from shared.domain.approval import high_of

BeforeCommit = Callable[[Connection, JobRecord], None]
Hashes = Collection[str] | None  # plan hashes the yes is meant for; None: whatever is shown


@again_if_rolled_back
def approve_plan(
    engine: Engine, actor: Actor, job_id: str, hashes: Hashes, before_commit: BeforeCommit
) -> JobRecord:
    """awaiting_approval -> running; the caller rings the planner, which opens the stages.

    Raises NotFound, WrongState for a job that does not wait for approval, and Stale when the plan
    shown is not one of `hashes`.
    """
    with engine.begin() as tx:
        job = lock_own(tx, actor, job_id)
        approved = job_control.approve(tx, job_id, hashes, _yes(tx, job, actor))
        if approved is None:
            raise _refusal(job)
        data = {"version": job.plan_version, "hash": job.plan_hash}
        events.append(tx, job_id, "job.approved", actor=actor.name, data=data)
        events.append(tx, job_id, "job.started", actor=actor.name, data={})
        audit.append(tx, actor.project_id, actor.name, "plan.approve", job_id, data)
        before_commit(tx, approved)
    return approved


@again_if_rolled_back
def reject_plan(
    engine: Engine, actor: Actor, job_id: str, hashes: Hashes, reason: str | None,
    before_commit: BeforeCommit,
) -> JobRecord:  # fmt: skip
    """awaiting_approval -> finalizing, to end as failed `plan_rejected`; ring the collector.

    Raises as `approve_plan` does.
    """
    error = {"code": "plan_rejected", "detail": reason or "The plan was rejected."}
    with engine.begin() as tx:
        job = lock_own(tx, actor, job_id)
        rejected = job_control.reject(tx, job_id, hashes, error)
        if rejected is None:
            raise _refusal(job)
        data = {"version": job.plan_version, "hash": job.plan_hash, "reason": reason}
        events.append(tx, job_id, "job.rejected", actor=actor.name, data=data)
        audit.append(tx, actor.project_id, actor.name, "plan.reject", job_id, data)
        before_commit(tx, rejected)
    return rejected


def _yes(tx: Connection, job: JobRecord, actor: Actor) -> dict[str, Any]:
    """What is agreed to: this plan, and a high price that later rounds may use up unasked."""
    plan = plans.find(tx, job.id)
    books = spend.totals(tx, job.id)
    gone = books.spent.microusd + books.unknown.microusd if books else 0
    high = high_of(plan.price) if plan else 0
    return {
        "version": job.plan_version,
        "hash": job.plan_hash,
        "by": actor.name,
        "high_microusd": gone + high,
    }


def _refusal(job: JobRecord) -> Refusal:
    if job.status != "awaiting_approval":
        return wrong_state(job, "only a plan that waits for approval can be approved or rejected")
    return Stale("plan")
