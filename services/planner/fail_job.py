"""Ends a job that cannot be planned."""

from typing import Any

from shared.database import events, jobs
from shared.database.engine import Engine
from shared.database.jobs import FinalRecord

NOTHING = {
    "units": 0, "succeeded": 0, "failed": 0, "skipped": 0, "cancelled": 0, "unreadable": 0,
    "stages": {},
}  # fmt: skip


def fail_job(engine: Engine, job_id: str, error: dict[str, Any]) -> None:
    """planning -> failed with `error` ({code, detail, ...}); nothing where it moved on."""
    with engine.begin() as tx:
        held = jobs.lock(tx, job_id)
        if held is None or held.status not in {"queued", "planning", "running"}:
            return
        record = FinalRecord("failed", error, None, None, NOTHING, held.usage or {}, [])
        jobs.finish(tx, job_id, record)
        events.append(
            tx, job_id, "job.finished", actor="planner", data={"status": "failed", "error": error}
        )
