"""Stops a job in one transaction: state, open shards, event."""

from typing import Any

from shared.database import events, jobs, shards
from shared.database.engine import Connection
from shared.database.jobs import JobRecord


def stop_job(
    tx: Connection, job_id: str, finish_as: str, *, actor: str, error: dict[str, Any] | None = None
) -> JobRecord | None:
    """Any state that is not final -> finalizing; the collector writes the record. None if final.

    `finish_as` is ``cancelled`` or ``failed``. No call starts after the next heartbeat.
    """
    if jobs.lock(tx, job_id) is None:
        return None
    job = jobs.stop(tx, job_id, finish_as, error)
    if job is not None:
        shards.cancel_open(tx, job_id)
        events.append(
            tx, job_id, "job.stopped", actor=actor, data={"as": finish_as, "error": error}
        )
    return job
