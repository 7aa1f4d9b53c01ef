"""Forks a final job: a new job with other inputs, plan or policy; unchanged units are reused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.actions.actor import Actor
from shared.actions.former_job import find_final, former_inputs, former_plan, former_webhook
from shared.actions.job_request import InputRequest, JobRequest
from shared.actions.submit import BeforeCommit, submit_job
from shared.database import audit, events
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Fork:
    """What differs from the job that is forked; what is silent stays.

    `inputs` stand for those of their names, or come beside them. `policy` has only the fields that
    change, as has its `budget`.
    """

    inputs: tuple[InputRequest, ...] = ()
    plan: dict[str, Any] | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)
    priority: int | None = None
    request_id: str | None = None
    traceparent: str | None = None


def fork_job(
    engine: Engine, settings: Settings, actor: Actor, job_id: str, fork: Fork,
    before_commit: BeforeCommit,
) -> JobRecord:  # fmt: skip
    """Store and return the new job; the caller rings the planner after this.

    Raises NotFound, Gone, WrongState for a job that is not final, and whatever `submit_job` does.
    """
    with engine.begin() as tx:
        job = find_final(tx, actor, job_id, "only a final job can be forked")
        plan = fork.plan if fork.plan is not None else former_plan(tx, job)
        kept = former_inputs(tx, job)
        webhook = former_webhook(tx, job)
    replaced = {item.name for item in fork.inputs}
    request = JobRequest(
        goal=job.goal,
        planning="given" if plan is not None else job.planning,
        plan=plan,
        output=job.output,
        policy=_policy(job, fork),
        priority=job.priority if fork.priority is None else fork.priority,
        inputs=(*(item for item in kept if item.name not in replaced), *fork.inputs),
        labels=job.labels,
        models=job.models,
        approval=job.approval,
        pilot=_asked_pilot(job),
        request_id=fork.request_id,
        traceparent=fork.traceparent,
        webhook=webhook,
        forked_from=job.id,
        workflow=job.workflow if fork.plan is None else None,
    )

    def with_events(tx: Connection, made: JobRecord) -> None:
        told = {"job": made.id}
        events.append(tx, job.id, "job.forked", actor=actor.name, data=told)
        audit.append(tx, actor.project_id, actor.name, "job.fork", job.id, told)
        before_commit(tx, made)

    return submit_job(engine, settings, actor, request, with_events)


def _policy(job: JobRecord, fork: Fork) -> dict[str, Any]:
    budget = {**(job.policy.get("budget") or {}), **(fork.policy.get("budget") or {})}
    return {**job.policy, **fork.policy, "budget": budget}


def _asked_pilot(job: JobRecord) -> dict[str, Any] | None:
    if job.pilot is None:
        return None
    return {name: value for name, value in job.pilot.items() if name != "report"}
