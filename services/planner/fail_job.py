"""Ends a job that cannot be planned."""

from typing import Any

from shared.database import events, jobs, streams
from shared.database.engine import Connection
from shared.database.jobs import FinalRecord

NOTHING = {
    "units": 0, "succeeded": 0, "failed": 0, "skipped": 0, "cancelled": 0, "unreadable": 0,
    "stages": {},
}  # fmt: skip


def fail_job(tx: Connection, job_id: str, error: dict[str, Any]) -> None:
    """planning -> failed with `error` ({code, detail, ...}); nothing where it moved on.

    The caller holds the job's row lock and its planning lease.
    """
    held = jobs.find(tx, job_id)
    if held is None or held.status not in {"queued", "planning", "running"}:
        return
    streams.end(tx, job_id, actor="planner")
    record = FinalRecord("failed", error, None, None, NOTHING, held.usage or {}, [])
    jobs.finish(tx, job_id, record)
    events.append(
        tx, job_id, "job.finished", actor="planner", data={"status": "failed", "error": error}
    )
