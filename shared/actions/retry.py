"""Retries a final job: a new job that keeps what was good and runs what was selected again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.actions.actor import Actor
from shared.actions.former_job import find_final, former_inputs, former_plan, former_webhook
from shared.actions.job_request import JobRequest
from shared.actions.refusals import FieldProblem, Invalid
from shared.actions.submit import BeforeCommit, submit_job
from shared.contracts.findings import json_pointer
from shared.database import audit, capabilities, events, results, stages
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Retry:
    """What is to run again: ``"failed"`` (all that did not succeed) or ``{"error_code": ...}``.

    `overrides` are parameters (`model`, `max_output_tokens`) for every stage that takes them.
    """

    select: str | Mapping[str, str] = "failed"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    traceparent: str | None = None


def retry_job(
    engine: Engine, settings: Settings, actor: Actor, job_id: str, retry: Retry,
    before_commit: BeforeCommit,
) -> JobRecord:  # fmt: skip
    """Store and return the new job; the caller rings the planner after this.

    Units that were never run are run, whatever was selected. Raises NotFound, Gone, WrongState for
    a job that is not final, and Invalid: `nothing_selected` when no unit would run again, or a
    parameter that no stage takes.
    """
    with engine.begin() as tx:
        job = find_final(tx, actor, job_id, "only a final job can be retried")
        _require_selected(tx, job, retry)
        plan = former_plan(tx, job)
        if plan is not None:
            plan = _overridden(tx, plan, retry.overrides)
        inputs = former_inputs(tx, job)
        webhook = former_webhook(tx, job)
    request = JobRequest(
        goal=job.goal,
        planning="given" if plan is not None else job.planning,
        plan=plan,
        output=job.output,
        policy=job.policy,
        priority=job.priority,
        inputs=inputs,
        labels=job.labels,
        models=job.models,
        request_id=retry.request_id,
        traceparent=retry.traceparent,
        webhook=webhook,
        retry_of=job.id,
        carry={"select": retry.select},
        workflow=job.workflow,
    )

    def with_events(tx: Connection, made: JobRecord) -> None:
        told = {"job": made.id}
        events.append(tx, job.id, "job.retried", actor=actor.name, data=told)
        audit.append(tx, actor.project_id, actor.name, "job.retry", job.id, told)
        before_commit(tx, made)

    return submit_job(engine, settings, actor, request, with_events)


def _require_selected(tx: Connection, job: JobRecord, retry: Retry) -> None:
    if isinstance(retry.select, str):
        found = stages.of_job(tx, job.id)
        if not found or any(
            stage.status != "closed" or stage.failed or stage.skipped or stage.cancelled
            for stage in found
        ):
            return
        code: str | None = None
    else:
        code = retry.select["error_code"]
        if results.has_failed(tx, job.id, code):
            return
    told = "No unit of the job failed" + (f" with the code {code[:100]}." if code else ".")
    raise Invalid([FieldProblem("/select", told)], "nothing_selected", told)


def _overridden(
    tx: Connection, plan: dict[str, Any], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the plan with the parameters set wherever a capability takes them."""
    takes = {
        one["name"]: (one["params"].get("properties") or {}).keys()
        for one in capabilities.manifests(tx)
    }
    taken = {name for stage in plan["stages"] for name in takes.get(stage["capability"], ())}
    wrong = [
        FieldProblem(json_pointer("overrides", name), "No stage of the plan takes this parameter.")
        for name in overrides
        if name not in taken
    ]
    if wrong:
        raise Invalid(wrong)
    stages_ = [
        {**stage, "params": {**(stage.get("params") or {}), **_for(stage, takes, overrides)}}
        for stage in plan["stages"]
    ]
    return {**plan, "stages": stages_} if overrides else plan


def _for(
    stage: Mapping[str, Any], takes: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    known = takes.get(stage["capability"], ())
    return {name: value for name, value in overrides.items() if name in known}
