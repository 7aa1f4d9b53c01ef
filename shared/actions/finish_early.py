"""Ends the work of a job now and lets it finish with what it has."""

from typing import Any

from shared.database import events, job_control, jobs, shards, stages, streams
from shared.database.engine import Connection
from shared.database.jobs import JobRecord


def finish_early(
    tx: Connection, job_id: str, reason: dict[str, Any], *, actor: str, settle_s: float
) -> bool:
    """Stop every open stage where it is: what was not begun is skipped, later stages run on it.

    What is under way may settle for `settle_s`. False when the job does not run.
    """
    job = jobs.lock(tx, job_id)
    if job is None or job.status != "running":
        return False
    streams.end(tx, job_id, actor=actor)
    if stages.end_early(tx, job_id, reason, settle_s):
        shards.settle_ended(tx, job_id)
        if reason.get("kind") == "budget":
            events.append(tx, job_id, "job.budget_exhausted", actor=actor, data=reason)
        events.append(tx, job_id, "job.finishing_early", actor=actor, data=reason)
    return True


def finish_now(
    tx: Connection, job_id: str, reason: dict[str, Any], *, actor: str, settle_s: float,
    overdue: bool = False,
) -> JobRecord | None:  # fmt: skip
    """Any state that is not final -> finalizing with what is there: no later stage runs either.

    The collector writes the record by the finish policy. None when the job ends already, and with
    `overdue` when its deadline has not passed.
    """
    if jobs.lock(tx, job_id) is None:
        return None
    job = job_control.finish_early(tx, job_id, reason, overdue=overdue)
    if job is not None:
        end_stages(tx, job, settle_s)
        events.append(tx, job_id, "job.finishing_early", actor=actor, data=reason)
    return job


def end_stages(tx: Connection, job: JobRecord, settle_s: float) -> None:
    """Stop every stage of a job that finishes early; repeated, only what moved meanwhile."""
    reason = job.finishing or {}
    stages.end_early(tx, job.id, reason, settle_s)
    stages.abandon_waiting(tx, job.id, reason)
    shards.settle_ended(tx, job.id)
