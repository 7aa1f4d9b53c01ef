"""Replaces the plan of a job that waits for approval by one its owner wrote."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from shared.actions.actor import Actor
from shared.actions.facts import plan_facts
from shared.actions.lay_out_plan import lay_out_plan
from shared.actions.own_job import lock_own, wrong_state
from shared.actions.refusals import Invalid, NotFound, Stale, problems_of
from shared.contracts.findings import Finding
from shared.contracts.plan import PlanShapeError, load_plan, plan_hash
from shared.database import audit, events, job_control, jobs, plans, stages
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord
from shared.database.plans import PlanRecord
from shared.domain.plan import Plan
from shared.plans.facts import PlanFacts
from shared.plans.lint import lint
from shared.plans.price import price
from shared.plans.worker_model import with_worker
from shared.settings import Settings


@again_if_rolled_back
def replace_plan(
    engine: Engine, settings: Settings, actor: Actor, job_id: str, document: Any,
    hashes: Collection[str] | None,
) -> PlanRecord:  # fmt: skip
    """Write the document as the next version of the plan and return it; it waits for approval too.

    `hashes` are those of the plan to be replaced (None: whatever is shown). The same plan again
    changes nothing. Raises NotFound, WrongState for a job that does not wait for approval or of
    which units were run already (a pilot, earlier rounds), Stale, and Invalid `plan_invalid`; then
    nothing is changed.
    """
    with engine.begin() as tx:
        job = lock_own(tx, actor, job_id)
        _require_open_to_change(tx, job, hashes)
        facts = plan_facts(
            tx, jobs.inputs(tx, job_id), job.policy, job.output, settings,
            project_id=job.project_id,
        )  # fmt: skip
    plan, findings = sound_plan(document, facts)  # no transaction is open: SQL is checked aside
    with engine.begin() as tx:
        held = lock_own(tx, actor, job_id)
        _require_open_to_change(tx, held, hashes)
        if held.plan_hash != plan_hash(document):
            _write(tx, settings, actor, held, document, plan, findings, facts)
        written = plans.find(tx, job_id)
    if written is None:
        raise NotFound("plan")
    return written


def sound_plan(document: Any, facts: PlanFacts) -> tuple[Plan, list[Finding]]:
    """Return the plan of a document and what is to be said of it; raise Invalid for errors."""
    try:
        plan = load_plan(document)
    except PlanShapeError as error:
        problems = problems_of(error.findings, under="/plan")
        raise Invalid(problems, "plan_invalid", "The plan is not valid.") from error
    findings = lint(plan, facts)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        problems = problems_of(errors, under="/plan")
        raise Invalid(problems, "plan_invalid", "The plan cannot run as it is.")
    return plan, findings


def _require_open_to_change(tx: Connection, job: JobRecord, hashes: Collection[str] | None) -> None:
    if job.status != "awaiting_approval":
        raise wrong_state(job, "only a plan that waits for approval can be replaced")
    if hashes is not None and job.plan_hash not in hashes:
        raise Stale("plan")
    if any(stage.status != "waiting" for stage in stages.of_job(tx, job.id)):
        raise wrong_state(
            job, "a plan of which units were run already can be approved or rejected only"
        )


def _write(
    tx: Connection, settings: Settings, actor: Actor, job: JobRecord, document: dict[str, Any],
    plan: Plan, findings: list[Finding], facts: PlanFacts,
) -> None:  # fmt: skip
    version, hash_ = (job.plan_version or 0) + 1, plan_hash(document)
    stages.drop_waiting(tx, job.id)
    plans.insert(
        tx, job.id, version, engine="given", document=document, hash_=hash_,
        findings=[asdict(finding) for finding in findings],
        price=price(
            with_worker(plan, job.models.get("worker")), facts, facts.prices
        ).to_json(),
    )  # fmt: skip
    table_ids = {item.name: item.table_id for item in jobs.inputs(tx, job.id)}
    lay_out_plan(tx, settings, job, plan, facts, version, table_ids)
    job_control.replace_plan(tx, job.id, version, hash_, job.plan_hash or "")
    data = {"version": version, "hash": hash_, "engine": "given"}
    events.append(tx, job.id, "job.planned", actor=actor.name, data=data)
    audit.append(tx, actor.project_id, actor.name, "plan.replace", job.id, data)
