"""Turns a job whose plan is due into a visible plan with waiting stages, or ends or pauses it."""

from collections.abc import Callable
from typing import Any

from services.planner.engines import (
    NotPlanned,
    Outcome,
    Planned,
    PlanningPaused,
    direct,
    given,
    model,
    rules,
)
from services.planner.engines.choice import choose_engine
from services.planner.engines.endpoint_breakers import EndpointBreakers
from services.planner.fail_job import fail_job
from services.planner.planning_task import Checked, PlanningTask
from services.planner.read_task import read_task
from shared.actions.lay_out_plan import lay_out_plan
from shared.contracts.plan import plan_hash
from shared.database import events, job_control, jobs, plans, rounds, stages, usage
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.domain.approval import needs_approval
from shared.domain.plan import Plan
from shared.llm.endpoints import endpoints_of
from shared.plans.outside import acts_outside
from shared.plans.price import price
from shared.plans.worker_model import with_worker
from shared.seams import reach
from shared.settings import Settings

_NEXT_EVENT = {
    "running": "job.started",
    "piloting": "job.piloting",
    "awaiting_approval": "job.awaiting_approval",
}


def write_plan(
    engine: Engine, settings: Settings, job: JobRecord, planner_id: str,
    breakers: EndpointBreakers, lost: Callable[[], bool] = lambda: False,
) -> bool:  # fmt: skip
    """Plan a leased job: its first plan, or its next round's; True when that became visible.

    A goal no engine can plan, or a plan with errors, ends the job as failed with the findings; in
    a later round the job ends with what it has. A limit that a person can lift pauses it. All of
    this only while the job is still ours to plan: another planner's plan is never undone.
    """
    task = read_task(engine, settings, job, lost)
    outcome = _run_engine(engine, settings, task, breakers)
    if isinstance(outcome, Planned):
        checked = task.check(outcome.document)
        if checked.plan is not None:
            return _show(engine, settings, task, planner_id, outcome, checked.plan, checked)
        outcome = _refused(outcome, checked)
    if isinstance(outcome, NotPlanned | PlanningPaused):
        with engine.begin() as tx:
            if not _is_ours(tx, settings, job, planner_id):
                return False
            if isinstance(outcome, NotPlanned):
                _end(tx, task, outcome)
            else:
                job_control.pause(tx, job.id, outcome.reason, actor="planner")
    return False


def _is_ours(tx: Connection, settings: Settings, job: JobRecord, planner_id: str) -> bool:
    """Lock the job; False when its lease went to another planner, or it stopped."""
    if jobs.lock(tx, job.id) is None:
        return False
    return jobs.extend_planning(tx, job.id, planner_id, settings.lease_s)


def _run_engine(
    engine: Engine, settings: Settings, task: PlanningTask, breakers: EndpointBreakers
) -> Outcome:
    planner = endpoints_of(settings).find(task.job.models.get("planner") or "planner")
    match choose_engine(task, planner):
        case "given":
            return given.plan(task.job)
        case "direct":
            return direct.plan(task)
        case "model":
            return model.plan(engine, settings, task, breakers)
        case "rules":
            return rules.plan(task.job, task.facts)


def _refused(planned: Planned, checked: Checked) -> NotPlanned:
    errors = tuple(finding for finding in checked.findings if finding.severity == "error")
    detail = f"The plan of engine {planned.engine} has {len(errors)} errors."
    return NotPlanned("plan_invalid", detail, findings=errors)


def _end(tx: Connection, task: PlanningTask, outcome: NotPlanned) -> None:
    told: dict[str, Any] = {
        "code": outcome.code,
        "detail": outcome.detail,
        "can_do": list(outcome.can_do),
        "findings": [finding.to_json() for finding in outcome.findings],
    }
    error = {name: value for name, value in told.items() if value}
    if task.round == 1:
        fail_job(tx, task.job.id, error)
    elif rounds.give_up(tx, task.job.id, error):
        data = {"round": task.round, "error": error}
        events.append(tx, task.job.id, "job.rounds_ended", actor="planner", data=data)


def _show(
    engine: Engine, settings: Settings, task: PlanningTask, planner_id: str, planned: Planned,
    plan: Plan, checked: Checked,
) -> bool:  # fmt: skip
    """Write the whole plan in one transaction, if the job is still ours to plan."""
    job, hash_ = task.job, plan_hash(planned.document)
    version = (job.plan_version or 0) + 1
    run_as = with_worker(plan, job.models.get("worker"))
    priced = price(run_as, task.facts, task.facts.prices).to_json()
    with engine.begin() as tx:
        if not _is_ours(tx, settings, job, planner_id):
            return False
        outside = acts_outside(plan, task.facts)
        if not _announce(tx, task, version, hash_, planned.engine, priced, outside):
            return False
        plans.insert(
            tx, job.id, version, engine=planned.engine, document=planned.document, hash_=hash_,
            findings=[finding.to_json() for finding in checked.findings], price=priced,
            round_=task.round,
        )  # fmt: skip
        first_no = max((stage.no for stage in stages.of_job(tx, job.id)), default=-1) + 1
        lay_out_plan(tx, settings, job, plan, task.facts, version, task.table_ids, first_no)
    return True


def _announce(
    tx: Connection, task: PlanningTask, version: int, hash_: str, engine_name: str,
    priced: dict[str, Any], outside: bool,
) -> bool:  # fmt: skip
    """Make the plan the job's, with its events; False when the job moved on."""
    job, data = task.job, {"version": version, "hash": hash_, "engine": engine_name}
    if task.round == 1:
        shown = jobs.show_plan(tx, job.id, version, hash_, must_ask=outside)
        if shown is None:
            return False
        next_ = _NEXT_EVENT[shown.status]
        events.append(tx, job.id, "job.planned", actor="planner", data=data)
        told = data if next_ == "job.awaiting_approval" else {}
        events.append(tx, job.id, next_, actor="planner", data=told)
        reach("planner_before_commit")
        return True
    if not rounds.show(tx, job.id, task.round, version, hash_):
        return False
    events.append(tx, job.id, "job.planned", actor="planner", data={**data, "round": task.round})
    spent = usage.together(job.usage, usage.of_subtasks(tx, job.id))["cost_microusd"]
    if needs_approval(
        job.approval, job.approved, spent_microusd=spent, price=priced, acts_outside=outside
    ):
        job_control.ask_approval(tx, job.id, version, hash_)
    return True
