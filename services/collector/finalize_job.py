"""Writes the record of a job whose stages have all ended, exactly once."""

from typing import Any, Literal

from shared.database import (
    events,
    jobs,
    plans,
    results,
    rounds,
    shards,
    stages,
    streams,
    tables,
    usage,
)
from shared.database.engine import Connection
from shared.database.jobs import FinalRecord, JobRecord
from shared.database.stages import StageRecord
from shared.domain.job import StageLedger, ending_of
from shared.seams import reach

Finalized = Literal["finished", "replanning"]


def finalize_job(tx: Connection, job_id: str) -> Finalized | None:
    """-> succeeded, partial, failed or cancelled; or ask the planner for the next round.

    Returns what this call did, None for nothing. Under the job's row lock: look again, act once.
    Whoever rings and however often, one record and one event come out.
    """
    job = jobs.lock(tx, job_id)
    if job is None or job.finished_at is not None or job.status not in {"running", "finalizing"}:
        return None
    if streams.is_unsealed(tx, job_id):
        return None  # records may come, or some are in no chunk yet: nothing ends without them
    if job.finish_as is not None:
        shards.note_done(tx, job_id)  # what ended just before the stop is told too
        _end_open_stages(tx, job)
    found = stages.of_job(tx, job_id)
    if any(stage.status not in {"closed", "abandoned"} for stage in found):
        return None
    if job.finish_as is None and job.finishing is None and job.error is None:
        if job.replan_round is not None:
            return None  # the planner is at it
        if _another_round(tx, job) and rounds.begin(tx, job_id, job.round + 1):
            data = {"round": job.round + 1}
            events.append(tx, job_id, "job.replanning", actor="collector", data=data)
            return "replanning"
    _write_record(tx, job, found)
    reach("collector_before_commit")
    return "finished"


def _another_round(tx: Connection, job: JobRecord) -> bool:
    """Return True when the plan asks for a round after this one and the policy allows it."""
    if job.round >= int(job.policy.get("max_rounds", 1)):
        return False
    plan = plans.find(tx, job.id)
    return plan is not None and plan.document.get("then") == "replan"


def _end_open_stages(tx: Connection, job: JobRecord) -> None:
    """Of a stopped job: the unsettled is cancelled or skipped; settled results stay readable."""
    shards.cancel_open(tx, job.id)
    for stage in stages.of_job(tx, job.id):
        if stage.status in {"closed", "abandoned"}:
            continue
        ledger = stages.recount(tx, stage.id)
        rest = (stage.unit_count or 0) - ledger["succeeded"] - ledger["failed"]
        cancelled = rest if job.finish_as == "cancelled" else 0
        stages.end_stage(
            tx, stage.id, "abandoned", succeeded=ledger["succeeded"], failed=ledger["failed"],
            cancelled=cancelled, skipped=rest - cancelled, reason={"kind": job.finish_as},
        )  # fmt: skip


def _write_record(tx: Connection, job: JobRecord, found: list[StageRecord]) -> None:
    ledgers = [_ledger(stage) for stage in found]
    ending = (
        ending_of(
            ledgers,
            min_success=job.policy.get("min_success", 1.0),
            on_shortfall=job.policy.get("on_shortfall", "partial"),
            finish_as=job.finish_as,
            early=(job.finishing or {}).get("kind"),
        )
    )  # fmt: skip
    status = ending.status
    if job.error is not None and status == "succeeded":  # a round that came to nothing
        status = "failed" if job.policy.get("on_shortfall") == "failed" else "partial"
    result = next((stage for stage in found if stage.is_result and stage.status == "closed"), None)
    table = tables.find(tx, result.output_table_id) if result else None
    record = FinalRecord(
        status=status,
        error=job.error or ending.error,
        result_table_id=table.id if table else None,
        result_rows=table.row_count if table else None,
        coverage=_coverage(tx, job, ledgers),
        usage=usage.together(job.usage, usage.of_subtasks(tx, job.id)),
        failures=results.failure_clusters(tx, job.id),
    )
    jobs.finish(tx, job.id, record)
    events.append(
        tx, job.id, "job.finished", actor="collector",
        data={"status": record.status, "error": record.error},
    )  # fmt: skip


def _ledger(stage: StageRecord) -> StageLedger:
    return StageLedger(
        name=stage.name,
        status=stage.status,
        is_result=stage.is_result,
        units=stage.unit_count or 0,
        succeeded=stage.succeeded,
        failed=stage.failed,
        skipped=stage.skipped,
        cancelled=stage.cancelled,
    )


def _coverage(tx: Connection, job: JobRecord, ledgers: list[StageLedger]) -> dict[str, Any]:
    counted = ("units", "succeeded", "failed", "skipped", "cancelled")
    per_stage = {
        ledger.name: {name: getattr(ledger, name) for name in counted} for ledger in ledgers
    }
    unreadable = 0
    for item in jobs.inputs(tx, job.id):
        table = tables.find(tx, item.table_id)
        unreadable += (table.report or {}).get("unreadable", 0) if table else 0
    totals = {name: sum(counts[name] for counts in per_stage.values()) for name in counted}
    return {**totals, "unreadable": unreadable, "stages": per_stage}
