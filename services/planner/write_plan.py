"""Turns a job that is being planned into a visible plan with waiting stages, or ends it."""

from dataclasses import asdict
from typing import Any

from services.planner.engines import NotPlanned, Planned, given, rules
from services.planner.fail_job import fail_job
from shared.actions.facts import plan_facts
from shared.contracts.findings import Finding
from shared.contracts.plan import PlanShapeError, load_plan, plan_hash
from shared.database import events, jobs, plans, stages, tables
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.database.stages import NewStage
from shared.domain.columns import Column
from shared.domain.ids import new_id
from shared.domain.plan import Plan, StagePlan
from shared.domain.stage import Kept, StageSpec
from shared.plans.columns import Resolution, emits, kept_columns, resolve
from shared.plans.facts import PlanFacts
from shared.plans.lint import lint
from shared.plans.order import dependencies, stage_order
from shared.plans.price import price
from shared.settings import Settings
from shared.tables.arrow import infer_columns
from shared.tables.literal_chunk import literal_chunk


def write_plan(engine: Engine, settings: Settings, job: JobRecord, planner_id: str) -> bool:
    """Plan a leased job in state planning; return True when its plan became visible.

    A goal no engine can plan, or a plan with errors, ends the job as failed with the findings.
    """
    with engine.connect() as connection:
        facts = plan_facts(
            connection, jobs.inputs(connection, job.id), job.policy, job.output,
            settings, project_id=job.project_id,
        )  # fmt: skip
    planned = _run_engine(job, facts)
    if isinstance(planned, NotPlanned):
        error = {"code": planned.code, "detail": planned.detail, "can_do": list(planned.can_do)}
        fail_job(engine, job.id, {key: value for key, value in error.items() if value})
        return False
    try:
        plan = load_plan(planned.document)
        findings = lint(plan, facts)
    except PlanShapeError as error:
        _refuse(engine, job, planned, error.findings)
        return False
    if any(finding.severity == "error" for finding in findings):
        _refuse(engine, job, planned, findings)
        return False
    return _show(engine, settings, job, planner_id, planned, plan, findings, facts)


def _run_engine(job: JobRecord, facts: PlanFacts) -> Planned | NotPlanned:
    if job.given_plan is not None:
        return given.plan(job)
    return rules.plan(job, facts)


def _refuse(engine: Engine, job: JobRecord, planned: Planned, findings: list[Finding]) -> None:
    errors = [asdict(finding) for finding in findings if finding.severity == "error"]
    detail = f"The plan of engine {planned.engine} has {len(errors)} errors."
    fail_job(engine, job.id, {"code": "plan_invalid", "detail": detail, "findings": errors})


def _show(
    engine: Engine, settings: Settings, job: JobRecord, planner_id: str, planned: Planned,
    plan: Plan, findings: list[Finding], facts: PlanFacts,
) -> bool:  # fmt: skip
    """Write the whole plan in one transaction, if the job is still ours to plan."""
    hash_ = plan_hash(planned.document)
    version = (job.plan_version or 0) + 1
    with engine.begin() as tx:
        held = jobs.lock(tx, job.id)
        if held is None or held.status != "planning":
            return False
        if not jobs.extend_planning(tx, job.id, planner_id, settings.lease_s):
            return False
        plans.insert(
            tx, job.id, version, engine=planned.engine, document=planned.document, hash_=hash_,
            findings=[asdict(finding) for finding in findings],
            price=price(plan, facts, facts.prices).to_json(),
        )  # fmt: skip
        table_ids = {item.name: item.table_id for item in jobs.inputs(tx, job.id)}
        table_ids |= _write_literals(tx, job, plan)
        _write_stages(tx, settings, job, plan, facts, table_ids, version)
        jobs.show_plan(tx, job.id, version, hash_)
        data = {"version": version, "hash": hash_, "engine": planned.engine}
        events.append(tx, job.id, "job.planned", actor="planner", data=data)
        events.append(tx, job.id, "job.started", actor="planner", data={})
    return True


def _write_literals(tx: Connection, job: JobRecord, plan: Plan) -> dict[str, str]:
    written = {}
    for name, rows in plan.tables.items():
        table_id, columns = new_id("tbl"), infer_columns(rows)
        tables.insert_loading(tx, table_id, job.project_id, name, "literal", job.id)
        chunk, content_hash = literal_chunk(rows, columns)
        tables.insert_chunks(tx, table_id, [chunk])
        tables.seal(
            tx, table_id, columns=columns, key=None, content_hash=content_hash,
            statistics=None, sample=None, report=None,
        )  # fmt: skip
        written[name] = table_id
    return written


def _write_stages(
    tx: Connection, settings: Settings, job: JobRecord, plan: Plan, facts: PlanFacts,
    table_ids: dict[str, str], version: int,
) -> None:  # fmt: skip
    resolution = resolve(plan, facts)
    by_name = {stage.name: stage for stage in plan.stages}
    for no, name in enumerate(stage_order(plan)):
        stage = by_name[name]
        table_ids[name] = new_id("tbl")
        tables.insert_loading(tx, table_ids[name], job.project_id, name, "stage", job.id)
        reads = {table: table_ids[table] for table in dependencies(stage)}
        row = _new_stage(settings, plan, stage, facts, resolution, no, reads, table_ids[name])
        stages.insert(tx, job.id, version, row)


def _new_stage(
    settings: Settings, plan: Plan, stage: StagePlan, facts: PlanFacts, found: Resolution,
    no: int, reads: dict[str, str], output_table_id: str,
) -> NewStage:  # fmt: skip
    manifest = facts.capabilities[stage.capability]
    kept = kept_columns(
        stage, found.columns[stage.over[0]], found.keys[stage.over[0]],
        reads_tables=manifest.reads == "tables",
    )  # fmt: skip
    spec = StageSpec(
        over=stage.over,
        unit=stage.unit,
        params=stage.params,
        instructions=stage.template.instructions if stage.template else None,
        input=stage.template.input if stage.template else None,
        output=found.outputs[stage.name],
        emit="many" if emits(stage, manifest) == "many" else "one",
        kept=tuple(
            Kept(column.name, mode)
            for column, mode in kept
            if not _overwritten(column, found.outputs[stage.name])
        ),
        replicas=stage.replicas,
        agree=stage.agree,
        retries=settings.retries if stage.retries is None else stage.retries,
        timeout_s=settings.unit_timeout_s if stage.timeout_s is None else stage.timeout_s,
    )
    return NewStage(
        no=no,
        name=stage.name,
        spec=spec.to_json(),
        brief=plan.brief,
        capability=manifest.name,
        capability_version=manifest.version,
        queue=manifest.queue,
        reads=reads,
        columns=found.columns[stage.name],
        keys=found.keys[stage.name],
        max_failed=1.0 if stage.max_failed is None else stage.max_failed,
        is_result=plan.result == stage.name,
        output_table_id=output_table_id,
    )


def _overwritten(column: Column, output: dict[str, Any]) -> bool:
    return column.name in output["properties"]
