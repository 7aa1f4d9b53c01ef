"""Lays a plan out in rows: its literal tables, and a waiting stage for each of its stages."""

from collections.abc import Mapping
from typing import Any

from shared.database import stages, tables
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.database.stages import NewStage
from shared.domain.columns import Column
from shared.domain.ids import new_id
from shared.domain.plan import Plan, StagePlan
from shared.domain.stage import Kept, StageSpec
from shared.plans.columns import Resolution, emits, kept_columns, resolve
from shared.plans.facts import PlanFacts
from shared.plans.order import dependencies, stage_order
from shared.plans.streaming import works_while_open
from shared.plans.worker_model import with_worker
from shared.settings import Settings
from shared.tables.arrow import infer_columns
from shared.tables.literal_chunk import literal_chunk


def lay_out_plan(
    tx: Connection, settings: Settings, job: JobRecord, plan: Plan, facts: PlanFacts,
    version: int, table_ids: Mapping[str, str], first_no: int = 0,
) -> None:  # fmt: skip
    """Write the tables and stages of one version of a plan that was linted without an error.

    `table_ids` are the tables the plan may read by name: inputs, and what former rounds made.
    `first_no` is the number of its first stage. The caller holds the job's row lock.
    """
    plan = with_worker(plan, job.models.get("worker"))
    known = {**table_ids, **_write_literals(tx, job, plan)}
    _write_stages(tx, settings, job, plan, facts, known, version, first_no)


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
    table_ids: dict[str, str], version: int, first_no: int,
) -> None:  # fmt: skip
    resolution = resolve(plan, facts)
    by_name = {stage.name: stage for stage in plan.stages}
    for no, name in enumerate(stage_order(plan), start=first_no):
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
        streams=works_while_open(stage, facts),
    )


def _overwritten(column: Column, output: dict[str, Any]) -> bool:
    return column.name in output["properties"]
