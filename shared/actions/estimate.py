"""Tells what a job would do and cost without making it: no row of any kind is written."""

from dataclasses import dataclass
from typing import Any

from shared.actions.actor import Actor
from shared.actions.edit_plan import sound_plan
from shared.actions.facts import plan_facts
from shared.actions.input_tables import require_key, require_table
from shared.actions.job_request import JobRequest
from shared.actions.measure_input import measure_input
from shared.actions.refusals import FieldProblem, Invalid
from shared.actions.require_models import require_models
from shared.contracts.findings import Finding
from shared.contracts.plan import plan_hash
from shared.database.engine import Engine
from shared.database.jobs import JobInput
from shared.llm.endpoints import endpoints_of
from shared.plans.facts import PlanFacts
from shared.plans.goals.refusal import not_recognised
from shared.plans.price import Price, price
from shared.plans.rules import RulesRefusal, plan_by_rules
from shared.plans.worker_model import with_worker
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Estimate:
    """A plan nobody stored, what the linter says of it, and its price."""

    engine: str  # given or rules
    document: dict[str, Any]
    hash: str
    findings: list[Finding]
    price: Price


def estimate_job(engine: Engine, settings: Settings, actor: Actor, request: JobRequest) -> Estimate:
    """Return the estimate of a request with a plan, or with a goal the rules can plan.

    Raises what `submit_job` would for the same request, and Invalid `needs_planning` for a goal
    that only a model can plan: submit it with ``approval: plan`` and look at the plan it writes.
    """
    require_models(settings, request)
    facts = _facts(engine, settings, actor, request)
    if request.plan is not None:
        name, document = "given", request.plan
    else:
        name, document = "rules", _plan_of_rules(settings, request, facts)
    plan, findings = sound_plan(document, facts)
    priced = price(with_worker(plan, request.models.get("worker")), facts, facts.prices)
    return Estimate(name, document, plan_hash(document), findings, priced)


def _facts(engine: Engine, settings: Settings, actor: Actor, request: JobRequest) -> PlanFacts:
    staged = {}
    inputs = []
    for item in request.inputs:
        if item.table_id is None:
            staged[item.name] = measure_input(settings, item, request.policy)
            inputs.append(JobInput(item.name, "", item.key))
            continue
        with engine.connect() as connection:
            table = require_table(connection, actor, item)
        require_key(engine, actor, item)
        inputs.append(JobInput(item.name, table.id, item.key))
    with engine.connect() as connection:
        return plan_facts(
            connection, inputs, request.policy, request.output, settings,
            project_id=actor.project_id, staged=staged,
        )  # fmt: skip


def _plan_of_rules(settings: Settings, request: JobRequest, facts: PlanFacts) -> dict[str, Any]:
    planner = endpoints_of(settings).find(request.models.get("planner", "planner"))
    if request.planning in {"model", "direct"} or (request.planning == "auto" and planner):
        raise _needs_planning("A model plans this goal")
    written = plan_by_rules(request.goal or "", facts)
    if not isinstance(written, RulesRefusal):
        return written
    if request.planning == "rules" or written.code != not_recognised().code:
        raise Invalid([FieldProblem("/goal", written.detail)], written.code, written.detail)
    raise _needs_planning("The rules do not know this goal")


def _needs_planning(why: str) -> Invalid:
    detail = f"{why}, and an estimate asks none; submit the job with `approval: plan`."
    return Invalid([FieldProblem("/goal", detail)], "needs_planning", detail)
