"""Defines and deletes workflows; a version is checked when it is made, as far as it can be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.actions.actor import Actor
from shared.actions.facts import plan_facts
from shared.actions.job_request import JobRequest
from shared.actions.refusals import Invalid, NotFound, problems_of
from shared.actions.require_models import require_models
from shared.contracts.plan import PlanShapeError, load_plan
from shared.database import audit, workflows
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.workflows import NewVersion, WorkflowRecord
from shared.domain.ids import new_id
from shared.plans.unbound import lint_unbound
from shared.settings import Settings

BeforeCommit = Callable[[Connection, WorkflowRecord], None]


@dataclass(frozen=True, slots=True)
class NewWorkflow:
    """A plan or a goal under a name.

    `defaults` are complete: `planning`, `approval`, `pilot`, `output`, `policy` (with `priority`),
    `models` and `labels`, as a job's body has them.
    """

    name: str
    description: str | None
    goal: str | None
    plan: dict[str, Any] | None
    defaults: dict[str, Any]


def create_workflow(
    engine: Engine, settings: Settings, actor: Actor, new: NewWorkflow, before_commit: BeforeCommit
) -> WorkflowRecord:
    """Store version 1, or the next version of a name that is there, and return it.

    Raises Invalid: `plan_invalid` for what is wrong with the plan whatever its inputs,
    `model_not_configured`. What depends on inputs is checked at each run.
    """
    _require_models(settings, new)
    if new.plan is not None:
        _require_sound(engine, settings, actor, new, new.plan)
    version = NewVersion(new.description, new.goal, new.plan, new.defaults, actor.name)
    return _write(engine, actor, new.name, version, before_commit)


@again_if_rolled_back
def delete_workflow(engine: Engine, actor: Actor, name: str) -> None:
    """Delete a workflow with its versions; jobs keep what they ran. Raises NotFound."""
    with engine.begin() as tx:
        gone = workflows.delete(tx, actor.project_id, name)
        if gone is None:
            raise NotFound("workflow")
        told = {"name": gone.name, "version": gone.latest_version}
        audit.append(tx, actor.project_id, actor.name, "workflow.delete", gone.id, told)


@again_if_rolled_back
def _write(
    engine: Engine, actor: Actor, name: str, version: NewVersion, before_commit: BeforeCommit
) -> WorkflowRecord:
    with engine.begin() as tx:
        made = workflows.insert(tx, new_id("wfl"), actor.project_id, name, version)
        told = {"name": made.name, "version": made.version}
        audit.append(tx, actor.project_id, actor.name, "workflow.create", made.id, told)
        before_commit(tx, made)
    return made


def _require_models(settings: Settings, new: NewWorkflow) -> None:
    asked = JobRequest(
        goal=new.goal,
        planning=new.defaults["planning"],
        plan=new.plan,
        output=new.defaults["output"],
        policy=new.defaults["policy"],
        priority=new.defaults["policy"]["priority"],
        models=new.defaults["models"],
    )
    require_models(settings, asked, under="/defaults")


def _require_sound(
    engine: Engine, settings: Settings, actor: Actor, new: NewWorkflow, document: dict[str, Any]
) -> None:
    try:
        plan = load_plan(document)
    except PlanShapeError as error:
        problems = problems_of(error.findings, under="/plan")
        raise Invalid(problems, "plan_invalid", "The plan is not valid.") from error
    with engine.connect() as connection:
        facts = plan_facts(
            connection, (), new.defaults["policy"], new.defaults["output"], settings,
            project_id=actor.project_id,
        )  # fmt: skip
    errors = [found for found in lint_unbound(plan, facts) if found.severity == "error"]
    if errors:
        problems = problems_of(errors, under="/plan")
        raise Invalid(problems, "plan_invalid", "The plan cannot run as it is.")
