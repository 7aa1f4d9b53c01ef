"""Closes a sealed stage under the job's lock: ledger, output table, and what is abandoned."""

from services.collector.seal_stage import SealedOutput
from shared.database import events, jobs, stages, tables
from shared.database.engine import Connection
from shared.database.stages import StageRecord


def close_stage(tx: Connection, stage: StageRecord, sealed: SealedOutput) -> str | None:
    """sealing -> closed, or abandoned above `max_failed`; return the new status.

    None when the job stopped or another collector closed it. Postgres recounts the results and
    refuses a ledger that does not agree with them.
    """
    job = jobs.lock(tx, stage.job_id)
    current = stages.find(tx, stage.id)
    if job is None or job.status not in {"running", "finalizing"} or job.finish_as is not None:
        return None
    if current is None or current.status != "sealing":
        return None
    ledger = stages.ledger_of_shards(tx, stage.id)
    units = current.unit_count or 0
    if units and ledger["failed"] / units > stage.max_failed:
        _abandon(tx, stage, ledger, units)
        return "abandoned"
    tables.seal(
        tx, stage.output_table_id, columns=stage.columns, key=None,
        content_hash=sealed.content_hash, statistics=sealed.statistics, sample=None, report=None,
    )  # fmt: skip
    rest = units - ledger["succeeded"] - ledger["failed"]
    stages.end_stage(
        tx, stage.id, "closed", succeeded=ledger["succeeded"], failed=ledger["failed"],
        skipped=rest if current.ended_early else 0, reason=current.ended_early,
    )  # fmt: skip
    if job.status_reason and job.status_reason.get("kind") == "ledger_mismatch":
        jobs.explain_wait(tx, job.id, None)
    events.append(
        tx, job.id, "stage.closed", actor="collector", data={"stage": stage.name, **ledger}
    )
    return "closed"


def _abandon(tx: Connection, stage: StageRecord, ledger: dict[str, int], units: int) -> None:
    """End a stage in which too much failed, and every stage that would read it."""
    reason = {
        "kind": "max_failed",
        "detail": f"{ledger['failed']} of {units} units failed; the stage allows a share of "
        f"{stage.max_failed:g}.",
    }
    stages.end_stage(
        tx, stage.id, "abandoned", succeeded=ledger["succeeded"], failed=ledger["failed"],
        skipped=units - ledger["succeeded"] - ledger["failed"], reason=reason,
    )  # fmt: skip
    lost = {stage.name}
    for later in stages.of_job(tx, stage.job_id):  # plan order: a reader comes after what it reads
        if later.status == "waiting" and lost & later.reads.keys():
            lost.add(later.name)
            stages.end_stage(
                tx, later.id, "abandoned", succeeded=0, failed=0,
                reason={"kind": "input_abandoned", "detail": f"{stage.name} was abandoned."},
            )  # fmt: skip
    events.append(
        tx, stage.job_id, "stage.abandoned", actor="collector",
        data={"stage": stage.name, "with": sorted(lost - {stage.name}), **ledger},
    )  # fmt: skip
