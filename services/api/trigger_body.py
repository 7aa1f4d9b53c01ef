"""Turns the body of a trigger, or of a change to one, into what is stored of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.api.auth import actor
from services.api.job_request_body import read_job_work
from services.api.schemas.strict import loaded
from services.api.schemas.triggers import (
    JOBS_PER_HOUR,
    USD_PER_DAY,
    TriggerChangesSchema,
    TriggerRequestSchema,
)
from services.api.schemas.webhooks import OVERLAP_S
from services.api.wired import wired
from shared.actions.check_trigger import options_of, require_secret, require_sound
from shared.actions.job_request import JobRequest
from shared.actions.refusals import FieldProblem, Invalid
from shared.actions.trigger_job import prepared_of
from shared.actions.workflows import WorkflowRun
from shared.database.triggers import TriggerFacts, TriggerRecord

_TARGET = ("job", "mapping", "records")
_LIMITS = {"jobs_per_hour": JOBS_PER_HOUR, "usd_per_day": USD_PER_DAY}


@dataclass(frozen=True, slots=True)
class Target:
    """What a delivery becomes: as it was asked for, as it is stored, and the job, if it is one."""

    asked: Mapping[str, Any]
    stored: dict[str, Any]
    prepared: dict[str, Any] | None


def read_trigger(document: Any) -> tuple[TriggerFacts, str]:
    """Return what is stored, and the secret; raises Invalid with a pointer for every bad field."""
    data = loaded(TriggerRequestSchema(), document)
    options = options_of(data["scheme"], data.get("options"))
    require_secret(data["scheme"], data["secret"])
    target = _target(data)
    jobs, cost = _limits(_LIMITS | (data.get("limits") or {}), target)
    facts = TriggerFacts(
        name=data["name"],
        enabled=data.get("enabled", True),
        scheme=data["scheme"],
        options=options,
        conditions=data.get("when", []),
        target=target.stored,
        prepared=target.prepared,
        jobs_per_hour=jobs,
        microusd_per_day=cost,
    )
    return facts, data["secret"]


def load_changes(document: Any) -> dict[str, Any]:
    """Return the fields a change names; raises Invalid with a pointer for every bad one."""
    return loaded(TriggerChangesSchema(), document)


def changed_target(trigger: TriggerRecord, given: Mapping[str, Any]) -> Target | None:
    """Return what deliveries become after a change, checked; None where it does not say.

    Addresses are looked up, for some seconds at most: to be called before anything is locked.
    """
    asked = _asked(trigger, given)
    return None if asked is None else _target(asked)


def changed(
    trigger: TriggerRecord, given: Mapping[str, Any], checked: Target | None
) -> TriggerFacts:
    """Return what the trigger, locked by now, is to be; only what is named is checked again.

    `checked` is its target as `changed_target` found it a moment before; only where another change
    came between is that done again. Raises Invalid where the whole would not be a trigger.
    """
    scheme = given.get("scheme", trigger.scheme)
    if scheme != trigger.scheme and "secret" not in given:
        told = "Another scheme needs its own secret; send it too."
        raise Invalid([FieldProblem("/secret", told)])
    if "secret" in given:
        require_secret(scheme, given["secret"])
    if checked is None or checked.asked != _asked(trigger, given):
        checked = changed_target(trigger, given)
    target = checked or Target({}, trigger.target, trigger.prepared)
    jobs, cost = _limits(_limits_of(trigger) | (given.get("limits") or {}), target)
    facts = TriggerFacts(
        name=given.get("name", trigger.name),
        enabled=given.get("enabled", trigger.enabled),
        scheme=scheme,
        options=trigger.options,
        conditions=given.get("when", trigger.conditions),
        target=target.stored,
        prepared=target.prepared,
        jobs_per_hour=jobs,
        microusd_per_day=cost,
    )
    if "options" in given or scheme != trigger.scheme:
        return replace(facts, options=options_of(scheme, given.get("options")))
    return facts


def overlap_of(given: Mapping[str, Any]) -> int:
    """Return for how many seconds the secret before holds beside a new one."""
    if "overlap_s" in given and "secret" not in given:
        raise Invalid([FieldProblem("/overlap_s", "This belongs to a new `secret`.")])
    return int(given.get("overlap_s", OVERLAP_S))


def _asked(trigger: TriggerRecord, given: Mapping[str, Any]) -> dict[str, Any] | None:
    named = {name: given[name] for name in _TARGET if name in given}
    return {**trigger.target, **named} if named else None


def _limits_of(trigger: TriggerRecord) -> dict[str, Any]:
    """Return the limits that hold; what fed a stream had none, so those of a new trigger do."""
    if trigger.target.get("records"):
        return _LIMITS
    cost = trigger.microusd_per_day
    return {
        "jobs_per_hour": trigger.jobs_per_hour,
        "usd_per_day": None if cost is None else cost / 1_000_000,
    }


def _limits(limits: Mapping[str, Any], target: Target) -> tuple[int | None, int | None]:
    """Return jobs per hour and micro-dollars per day; a stream's job has a budget of its own."""
    if target.stored.get("records"):
        return None, None
    cost = limits["usd_per_day"]
    return limits["jobs_per_hour"], None if cost is None else round(cost * 1_000_000)


def _target(asked: Mapping[str, Any]) -> Target:
    job, mapping = asked.get("job"), asked.get("mapping") or {}
    records = asked.get("records")
    if (records is None) == (job is None and not mapping):
        told = "Say what a delivery becomes: a `job` with its `mapping`, or `records`."
        raise Invalid([FieldProblem("/job", told)])
    if records is not None:
        return Target(asked, {"records": records}, None)
    job = job or {}
    return Target(asked, {"job": job, "mapping": mapping}, prepared_of(_checked(job, mapping)))


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
    require_sound(wired().engine, wired().settings, actor(), work, mapping)
    request_id = {"request_id": None, "traceparent": None}  # of this request, not of a delivery
    if isinstance(work, WorkflowRun):
        return replace(work, more={**work.more, **request_id})
    return replace(work, request_id=None, traceparent=None)


def _under_job(refusal: Invalid) -> list[FieldProblem]:
    return [replace(problem, pointer=f"/job{problem.pointer}") for problem in refusal.problems]
