"""The job object and the objects that hang below a job."""

from dataclasses import asdict
from typing import Any

from services.api.answers import milliseconds, moment
from shared.actions.estimate import Estimate
from shared.database import job_list, jobs, pauses, spend, stages
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.database.plans import PlanRecord
from shared.database.result_pages import SettledUnit
from shared.domain.wait_reason import job_wait

NO_USAGE = {
    "calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_microusd": 0, "cache_hits": 0,
    "cost_unknown_microusd": 0,
}  # fmt: skip
_COUNTS = ("units", "succeeded", "failed", "skipped", "cancelled")


def job_object(connection: Connection, job: JobRecord) -> dict[str, Any]:
    """Return one job with its progress, why it waits, and the columns of its result."""
    progress = (
        jobs.progress(connection, job.id) if job.coverage is None else _final_progress(job.coverage)
    )
    columns = job_list.columns_of(connection, _result_tables([job]))
    shown = _job(job, progress, columns, spend.cost_unknown(connection, [job.id]))
    if job.finished_at is None:
        held = pauses.reason(connection, job.project_id)
        ended = ("closed", "abandoned")
        waits = [
            None if row["running"] else row["status_reason"]
            for row in stages.progress(connection, job.id)
            if row["status"] not in ended
        ]
        shown["status_reason"] = job_wait(job.status, job.status_reason, waits, held)
    return shown


def job_objects(connection: Connection, page: list[JobRecord]) -> list[dict[str, Any]]:
    """Return a page of jobs; four queries whatever its length.

    What the stages of a running job wait for is told by `job_object` alone.
    """
    columns = job_list.columns_of(connection, _result_tables(page))
    open_jobs = [job.id for job in page if job.coverage is None]
    progress = job_list.progress_of(connection, open_jobs)
    progress |= {job.id: _final_progress(job.coverage) for job in page if job.coverage is not None}
    unknown = spend.cost_unknown(connection, [job.id for job in page])
    return [_job(job, progress[job.id], columns, unknown) for job in page]


def plan_object(plan: PlanRecord) -> dict[str, Any]:
    """Return a plan with its findings and price."""
    return {
        "version": plan.version,
        "hash": plan.hash,
        "engine": plan.engine,
        "plan": plan.document,
        "findings": plan.findings,
        "price": plan.price,
        "created_at": moment(plan.created_at),
    }


def estimate_object(made: Estimate) -> dict[str, Any]:
    """Return an estimate: the plan a job would have, its findings and price."""
    return {
        "engine": made.engine,
        "plan": made.document,
        "hash": made.hash,
        "findings": [asdict(finding) for finding in made.findings],
        "price": made.price.to_json(),
    }


def stage_object(row: dict[str, Any]) -> dict[str, Any]:
    """Return one stage; `units` is null until its inputs are sealed."""
    counts = {name: int(row[name] or 0) for name in _COUNTS}
    running = int(row["running"])
    done = counts["succeeded"] + counts["failed"] + counts["skipped"] + counts["cancelled"]
    waiting = max(0, counts["units"] - done - running)
    final = row["status"] in ("closed", "abandoned")
    return {
        "name": row["name"],
        "no": row["no"],
        "status": row["status"],
        "status_reason": row["status_reason"],
        "capability": row["capability"],
        "is_result": row["is_result"],
        "units": row["units"],
        "progress": {**counts, "running": running, "waiting": waiting},
        "coverage": counts if final else None,
        "usage": NO_USAGE,
        "shards": row["shards"],
        "open_shards": row["open_shards"],
        "table": row["output_table_id"],
        "opened_at": moment(row["opened_at"]),
        "closed_at": moment(row["closed_at"]),
        "duration_ms": milliseconds(row["opened_at"], row["closed_at"]),
    }


def subtask_object(stage: str, unit: SettledUnit, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how one unit ended; `attempts` lists all but a first-try success."""
    usage = unit.usage or {}
    return {
        "stage": stage,
        "unit": unit.unit,
        "outcome": unit.outcome,
        "error": None
        if unit.outcome == "succeeded"
        else {"code": unit.code, "detail": unit.detail},
        "attempt": unit.attempt,
        "attempts": [{**one, "ended_at": moment(one["ended_at"])} for one in attempts],
        "input_tokens": usage.get("input_tokens", 0),
        "output_tokens": usage.get("output_tokens", 0),
        "cost_microusd": usage.get("cost_microusd", 0),
        "worker": unit.worker_id,
        "duration_ms": unit.duration_ms,
        "settled_at": moment(unit.settled_at),
    }


def event_object(row: dict[str, Any]) -> dict[str, Any]:
    """Return one event of a job's log."""
    return {**row, "created_at": moment(row["created_at"])}


def _job(
    job: JobRecord, progress: dict[str, int], columns: dict[str, list[dict[str, str]]],
    cost_unknown: dict[str, int],
) -> dict[str, Any]:  # fmt: skip
    return {
        "id": job.id,
        "goal": job.goal,
        "status": job.status,
        "status_reason": job_wait(job.status, job.status_reason, [None]),
        "mode": job.mode,
        "labels": job.labels,
        "source": {"trigger": job.trigger_id, "delivery": job.delivery_id},
        "retry_of": job.retry_of,
        "forked_from": job.forked_from,
        "webhook": job.webhook,
        "workflow": job.workflow,
        "approval": job.approval,
        "approved": job.approved,
        "pilot": job.pilot,
        "created_at": moment(job.created_at),
        "started_at": moment(job.started_at),
        "finished_at": moment(job.finished_at),
        "deadline_at": moment(job.deadline_at),
        "deleted_at": moment(job.deleted_at),
        "plan": None
        if job.plan_version is None
        else {"version": job.plan_version, "hash": job.plan_hash},
        "progress": progress,
        "coverage": job.coverage,
        "usage": {
            **NO_USAGE,
            **(job.usage or {}),
            "cost_unknown_microusd": cost_unknown.get(job.id, 0),
        },
        "result": None
        if job.result_table_id is None
        else {
            "table": job.result_table_id,
            "rows": job.result_rows,
            "columns": columns.get(job.result_table_id, []),
        },
        "error": job.error,
        "links": _links(job),
    }


def _links(job: JobRecord) -> dict[str, str]:
    own = f"/v1/jobs/{job.id}"
    parts = (
        "plan", "stages", "subtasks", "failures", "results", "events", "cancel", "pause", "resume",
        "finalize", "retry", "fork",
    )  # fmt: skip
    more = () if job.mode == "batch" else ("records",)
    return {"self": own} | {part: f"{own}/{part}" for part in (*parts, *more)}


def _result_tables(page: list[JobRecord]) -> list[str]:
    return [job.result_table_id for job in page if job.result_table_id is not None]


def _final_progress(coverage: dict[str, Any] | None) -> dict[str, int]:
    counts = {name: int((coverage or {}).get(name, 0)) for name in _COUNTS}
    return {**counts, "running": 0, "waiting": 0}
