"""Ends the work of a job now and lets it finish with what it has."""

from typing import Any

from shared.database import events, jobs, shards, stages
from shared.database.engine import Connection


def finish_early(tx: Connection, job_id: str, reason: dict[str, Any], *, actor: str) -> bool:
    """Stop every open stage where it is: what was not settled is skipped, later stages run on it.

    False when the job does not run. No call starts after the next heartbeat; those under way end
    and count. The caller rings the collector.
    """
    job = jobs.lock(tx, job_id)
    if job is None or job.status != "running":
        return False
    if stages.end_early(tx, job_id, reason):
        shards.cancel_of_ended(tx, job_id)
        if reason.get("kind") == "budget":
            events.append(tx, job_id, "job.budget_exhausted", actor=actor, data=reason)
        events.append(tx, job_id, "job.finishing_early", actor=actor, data=reason)
    return True
