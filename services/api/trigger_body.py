"""Turns the body of a trigger, or of a change to one, into what is stored of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import Schema, ValidationError

from services.api.auth import actor
from services.api.job_request_body import read_job_work
from services.api.schemas.strict import problems_of_messages
from services.api.schemas.triggers import (
    JOBS_PER_HOUR,
    OVERLAP_S,
    USD_PER_DAY,
    TriggerChangesSchema,
    TriggerRequestSchema,
)
from services.api.wired import wired
from shared.actions.input_address import require_input_address
from shared.actions.job_request import InputRequest, JobRequest
from shared.actions.refusals import FieldProblem, Invalid, NotFound, problems_of
from shared.actions.require_models import require_models
from shared.actions.trigger_job import prepared_of
from shared.actions.webhook_address import require_address
from shared.actions.workflows import WorkflowRun, find_workflow, wanted_by
from shared.contracts.findings import json_pointer
from shared.contracts.plan import PlanShapeError, load_plan
from shared.database.triggers import TriggerFacts, TriggerRecord
from shared.domain.hook_scheme import secret_problem
from shared.plans.unbound import inputs_wanted

_OF_TOKEN = frozenset({"header", "id_header"})
_TARGET = ("job", "mapping", "records")


def read_trigger(document: Any) -> tuple[TriggerFacts, str]:
    """Return what is stored, and the secret; raises Invalid with a pointer for every bad field."""
    data = _load(TriggerRequestSchema(), document)
    options = _options(data["scheme"], data.get("options"))
    _require_secret(data["scheme"], data["secret"])
    target, prepared = _target(data)
    limits = {"jobs_per_hour": JOBS_PER_HOUR, "usd_per_day": USD_PER_DAY}
    jobs, cost = _limits(limits | (data.get("limits") or {}), target)
    facts = TriggerFacts(
        name=data["name"],
        enabled=data.get("enabled", True),
        scheme=data["scheme"],
        options=options,
        conditions=data.get("when", []),
        target=target,
        prepared=prepared,
        jobs_per_hour=jobs,
        microusd_per_day=cost,
    )
    return facts, data["secret"]


def load_changes(document: Any) -> dict[str, Any]:
    """Return the fields a change names; raises Invalid with a pointer for every bad one."""
    return _load(TriggerChangesSchema(), document)


def changed(trigger: TriggerRecord, given: Mapping[str, Any]) -> TriggerFacts:
    """Return what the trigger is to be; only what is named is checked again.

    Raises Invalid where the whole would not be a trigger.
    """
    scheme = given.get("scheme", trigger.scheme)
    if scheme != trigger.scheme and "secret" not in given:
        told = "Another scheme needs its own secret; send it too."
        raise Invalid([FieldProblem("/secret", told)])
    if "secret" in given:
        _require_secret(scheme, given["secret"])
    target, prepared = trigger.target, trigger.prepared
    if any(name in given for name in _TARGET):
        target, prepared = _target({**target, **{n: given[n] for n in _TARGET if n in given}})
    cost = trigger.microusd_per_day
    limits = {
        "jobs_per_hour": trigger.jobs_per_hour,
        "usd_per_day": None if cost is None else cost / 1_000_000,
    }
    jobs, cost = _limits(limits | (given.get("limits") or {}), target)
    facts = TriggerFacts(
        name=given.get("name", trigger.name),
        enabled=given.get("enabled", trigger.enabled),
        scheme=scheme,
        options=trigger.options,
        conditions=given.get("when", trigger.conditions),
        target=target,
        prepared=prepared,
        jobs_per_hour=jobs,
        microusd_per_day=cost,
    )
    if "options" in given or scheme != trigger.scheme:
        return replace(facts, options=_options(scheme, given.get("options")))
    return facts


def overlap_of(given: Mapping[str, Any]) -> int:
    """Return for how many seconds the secret before holds beside a new one."""
    if "overlap_s" in given and "secret" not in given:
        raise Invalid([FieldProblem("/overlap_s", "This belongs to a new `secret`.")])
    return int(given.get("overlap_s", OVERLAP_S))


def _load(schema: Schema, document: Any) -> dict[str, Any]:
    try:
        return dict(schema.load(document))
    except ValidationError as error:
        raise Invalid(problems_of_messages(error.messages)) from error


def _options(scheme: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    options = {name: value for name, value in (given or {}).items() if value is not None}
    known = options.keys() if scheme == "hmac" else _OF_TOKEN if scheme == "token" else ()
    wrong = [name for name in options if name not in known]
    if wrong:
        told = f"The scheme {scheme} has no such option."
        raise Invalid(FieldProblem(f"/options/{name}", told) for name in wrong)
    return options


def _require_secret(scheme: str, secret: str) -> None:
    problem = secret_problem(scheme, secret)
    if problem is not None:
        raise Invalid([FieldProblem("/secret", problem)])


def _limits(limits: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Return jobs per hour and micro-dollars per day; a stream's job has a budget of its own."""
    if target.get("records"):
        return None, None
    cost = limits["usd_per_day"]
    return limits["jobs_per_hour"], None if cost is None else round(cost * 1_000_000)


def _target(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what a delivery becomes, as the client wrote it, and the checked job, if it is one."""
    job, mapping = given.get("job"), given.get("mapping") or {}
    records = given.get("records")
    if (records is None) == (job is None and not mapping):
        told = "Say what a delivery becomes: a `job` with its `mapping`, or `records`."
        raise Invalid([FieldProblem("/job", told)])
    if records is not None:
        return {"records": records}, None
    job = job or {}
    work = _checked(job, mapping)
    return {"job": job, "mapping": mapping}, prepared_of(work)


def _checked(job: Mapping[str, Any], mapping: Mapping[str, Any]) -> JobRequest | WorkflowRun:
    """Check the job as POST /v1/jobs would, the goal's template standing for the goal."""
    whole = dict(job)
    if mapping.get("goal") is not None:
        if job.get("goal") is not None:
            raise Invalid([FieldProblem("/mapping/goal", "Say the goal once: here or in `job`.")])
        whole["goal"] = mapping["goal"]
    try:
        work = read_job_work(whole, {})
    except Invalid as refusal:
        raise Invalid(_under_job(refusal), refusal.code, refusal.detail) from refusal
    _require_sound(work, mapping)
    request_id = {"request_id": None, "traceparent": None}  # of this request, not of a delivery
    if isinstance(work, WorkflowRun):
        return replace(work, more={**work.more, **request_id})
    return replace(work, request_id=None, traceparent=None)


def _under_job(refusal: Invalid) -> list[FieldProblem]:
    return [replace(problem, pointer=f"/job{problem.pointer}") for problem in refusal.problems]


def _require_sound(work: JobRequest | WorkflowRun, mapping: Mapping[str, Any]) -> None:
    """Refuse what no delivery could mend; the rest of a plan is checked with its rows."""
    wanted = _wanted(work)
    _require_inputs(work.inputs, mapping, wanted)
    settings = wired().settings
    for item in work.inputs:
        if item.address is not None:
            pointer = json_pointer("job", "inputs", item.name, "url")
            require_input_address(settings, item.address.url, pointer)
    webhook = work.more.get("webhook") if isinstance(work, WorkflowRun) else work.webhook
    if webhook is not None:
        require_address(settings, webhook.url, "/job/webhook/url")
    if isinstance(work, JobRequest):
        require_models(settings, work, under="/job")


def _wanted(work: JobRequest | WorkflowRun) -> list[str]:
    """Return the inputs that are read for certain; a goal takes what is there."""
    if isinstance(work, WorkflowRun):
        return _wanted_by_workflow(work)
    if work.plan is None:
        return []
    try:
        return inputs_wanted(load_plan(work.plan))
    except PlanShapeError as error:
        problems = problems_of(error.findings, under="/job/plan")
        raise Invalid(problems, "plan_invalid", "The plan is not valid.") from error


def _wanted_by_workflow(run: WorkflowRun) -> list[str]:
    try:
        with wired().engine.connect() as connection:
            found = find_workflow(connection, actor().project_id, run.name, run.version)
    except NotFound as refusal:
        told = "There is no such workflow, or no such version of it."
        raise NotFound("workflow", [FieldProblem("/job/workflow", told)]) from refusal
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
