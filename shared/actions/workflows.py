"""Runs a workflow: turns its name, inputs and overrides into the request `submit_job` takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.actions.actor import Actor
from shared.actions.job_request import InputRequest, JobRequest
from shared.actions.refusals import FieldProblem, Invalid, NotFound
from shared.actions.submit import BeforeCommit, submit_job
from shared.contracts.findings import json_pointer
from shared.contracts.plan import PlanShapeError, load_plan
from shared.database import workflows
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.database.workflows import WorkflowRecord
from shared.plans.unbound import inputs_wanted
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """Which workflow on which inputs, and what differs from its defaults; what is silent stays.

    `policy` has only the fields that change, as has its `budget`; `models` and `labels` come on top
    of the workflow's. `more` are fields of JobRequest that workflows know nothing of.
    """

    name: str
    version: int | None = None  # None: the newest
    inputs: tuple[InputRequest, ...] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)
    priority: int | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    approval: str | None = None
    pilot: dict[str, Any] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def run_workflow(
    engine: Engine, settings: Settings, actor: Actor, run: WorkflowRun, before_commit: BeforeCommit
) -> JobRecord:
    """Store and return the job of a run; the caller rings the planner after this.

    Raises NotFound for a workflow or version the project does not have, Invalid where an input is
    missing, and whatever `submit_job` does.
    """
    with engine.connect() as connection:
        request = workflow_request(connection, actor.project_id, run)
    return submit_job(engine, settings, actor, request, before_commit)


def workflow_request(connection: Connection, project_id: str, run: WorkflowRun) -> JobRequest:
    """Return the request that a run comes to; raises NotFound and Invalid as `run_workflow` does.

    The job gets copies of plan and defaults: deleting the workflow later does not touch it.
    """
    found = find_workflow(connection, project_id, run.name, run.version)
    _require_inputs(found, run)
    defaults = found.defaults
    approval, pilot = _approval(run, defaults)
    return JobRequest(
        goal=found.goal,
        planning=defaults["planning"],
        plan=found.plan,
        output=defaults["output"],
        policy=_policy(run, defaults["policy"]),
        priority=defaults["policy"]["priority"] if run.priority is None else run.priority,
        inputs=run.inputs,
        labels={**defaults["labels"], **run.labels},
        models={**defaults["models"], **run.models},
        approval=approval,
        pilot=pilot,
        workflow={"id": found.id, "name": found.name, "version": found.version},
        **run.more,
    )


def find_workflow(
    connection: Connection, project_id: str, name: str, version: int | None = None
) -> WorkflowRecord:
    """Return a version of a workflow, the newest by default; raise NotFound."""
    found = workflows.find(connection, project_id, name, version)
    if found is None:
        detail = "There is no such workflow, or no such version of it."
        raise NotFound("workflow", [FieldProblem("/workflow", detail)])
    return found


def wanted_by(workflow: WorkflowRecord) -> list[str] | None:
    """Return the names of the inputs its plan reads; None where nobody can say (a goal)."""
    if workflow.plan is None:
        return None
    try:
        return inputs_wanted(load_plan(workflow.plan))
    except PlanShapeError:  # stored by another release; what is wrong with it is told by a run
        return None


def _require_inputs(found: WorkflowRecord, run: WorkflowRun) -> None:
    given = {item.name for item in run.inputs}
    missing = [name for name in wanted_by(found) or () if name not in given]
    if missing:
        raise Invalid(
            FieldProblem(
                json_pointer("inputs", name), f"The workflow reads the input `{name}`; give it."
            )
            for name in missing
        )


def _approval(run: WorkflowRun, defaults: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
    if run.approval is not None:
        approval, pilot = run.approval, run.pilot
    else:
        approval, pilot = defaults["approval"], defaults["pilot"]
    if approval == "pilot" and any(item.columns is not None for item in run.inputs):
        detail = "The workflow asks for a pilot, and a stream has no rows for one; say otherwise."
        raise Invalid([FieldProblem("/approval", detail)])
    return approval, pilot


def _policy(run: WorkflowRun, policy: Mapping[str, Any]) -> dict[str, Any]:
    budget = {**policy["budget"], **(run.policy.get("budget") or {})}
    merged = {**policy, **run.policy, "budget": budget}
    return {name: value for name, value in merged.items() if name != "priority"}
