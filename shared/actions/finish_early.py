"""Ends the work of a job now and lets it finish with what it has."""

from shared.database import events, jobs, shards, stages
from shared.database.engine import Connection


def finish_early(tx: Connection, job_id: str, reason: dict[str, str], *, actor: str) -> bool:
    """Stop every open stage where it is: what was not settled is skipped, later stages run on it.

    False when the job does not run. No call starts after the next heartbeat.
    """
    job = jobs.lock(tx, job_id)
    if job is None or job.status != "running":
        return False
    if stages.end_early(tx, job_id, reason):
        shards.cancel_open(tx, job_id)
        events.append(tx, job_id, "job.finishing_early", actor=actor, data=reason)
    return True
