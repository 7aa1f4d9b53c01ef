"""Checks what a trigger is to be: refuses what no delivery could mend."""

from collections.abc import Mapping
from typing import Any

from shared.actions.actor import Actor
from shared.actions.input_address import require_input_address
from shared.actions.job_request import InputRequest, JobRequest
from shared.actions.refusals import FieldProblem, Invalid, NotFound, problems_of
from shared.actions.require_models import require_models
from shared.actions.webhook_address import require_address
from shared.actions.workflows import WorkflowRun, find_workflow, wanted_by
from shared.contracts.findings import json_pointer
from shared.contracts.plan import PlanShapeError, load_plan
from shared.database.engine import Engine
from shared.domain.hook_scheme import secret_problem
from shared.plans.unbound import inputs_wanted
from shared.settings import Settings

_OF_TOKEN = frozenset({"header", "id_header"})


def require_secret(scheme: str, secret: str) -> None:
    """Raise Invalid where the scheme cannot use the secret."""
    problem = secret_problem(scheme, secret)
    if problem is not None:
        raise Invalid([FieldProblem("/secret", problem)])


def options_of(scheme: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options that say something; raises Invalid for one the scheme does not have."""
    options = {name: value for name, value in (given or {}).items() if value is not None}
    known = options.keys() if scheme == "hmac" else _OF_TOKEN if scheme == "token" else ()
    wrong = [name for name in options if name not in known]
    if wrong:
        told = f"The scheme {scheme} has no such option."
        raise Invalid(FieldProblem(f"/options/{name}", told) for name in wrong)
    return options


def require_sound(
    engine: Engine, settings: Settings, actor: Actor, work: JobRequest | WorkflowRun,
    mapping: Mapping[str, Any],
) -> None:  # fmt: skip
    """Raise Invalid or NotFound (under /job, /mapping) for a job that could never be made.

    The rest of a plan is checked with its rows. Addresses are looked up, for some seconds at most:
    to be called before anything is locked.
    """
    _require_inputs(work.inputs, mapping, _wanted(engine, actor, work))
    for item in work.inputs:
        if item.address is not None:
            pointer = json_pointer("job", "inputs", item.name, "url")
            require_input_address(settings, item.address.url, pointer)
    webhook = work.more.get("webhook") if isinstance(work, WorkflowRun) else work.webhook
    if webhook is not None:
        require_address(settings, webhook.url, "/job/webhook/url")
    if isinstance(work, JobRequest):
        require_models(settings, work, under="/job")


def _wanted(engine: Engine, actor: Actor, work: JobRequest | WorkflowRun) -> list[str]:
    """Return the inputs that are read for certain; a goal takes what is there."""
    if isinstance(work, WorkflowRun):
        return _wanted_by_workflow(engine, actor, work)
    if work.plan is None:
        return []
    try:
        return inputs_wanted(load_plan(work.plan))
    except PlanShapeError as error:
        problems = problems_of(error.findings, under="/job/plan")
        raise Invalid(problems, "plan_invalid", "The plan is not valid.") from error


def _wanted_by_workflow(engine: Engine, actor: Actor, run: WorkflowRun) -> list[str]:
    try:
        with engine.connect() as connection:
            found = find_workflow(connection, actor.project_id, run.name, run.version)
    except NotFound as refusal:
        under = [FieldProblem(f"/job{one.pointer}", one.detail) for one in refusal.problems]
        raise NotFound("workflow", under) from refusal
    return wanted_by(found) or []


def _require_inputs(
    said: tuple[InputRequest, ...], mapping: Mapping[str, Any], wanted: list[str]
) -> None:
    mapped = mapping.get("inputs") or {}
    given = {item.name for item in said} | mapped.keys()
    wrong = [(item.name, "The mapping gives this input, too.")
             for item in said if item.name in mapped]  # fmt: skip
    wrong += [(item.name, "A job of a trigger has no stream; feed one with `records`.")
              for item in said if item.columns is not None]  # fmt: skip
    problems = [FieldProblem(json_pointer("job", "inputs", name), told) for name, told in wrong]
    problems += [
        FieldProblem(
            json_pointer("mapping", "inputs", name), f"The plan reads the input `{name}`; map it."
        )
        for name in wanted
        if name not in given
    ]
    if problems:
        raise Invalid(problems)
