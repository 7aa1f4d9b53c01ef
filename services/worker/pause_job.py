"""Pauses a job for a reason its units met: an exhausted budget or account, a breaker."""

from typing import Any

from shared.actions.finish_early import finish_early
from shared.database import job_control, jobs, shards
from shared.database.engine import Connection, Engine, retrying
from shared.log import get_logger

JUST_RESUMED_S = 2.0  # what was found out this short after a resume is looked at once more


def pause_job(engine: Engine, job_id: str, shard_id: int, reason: dict[str, Any]) -> None:
    """running -> paused(reason), once; results stay readable and resume goes on.

    At the end of a budget the policy may say ``on_budget: finish`` instead. What a shard met that
    was claimed before the job was resumed is an old story and pauses nothing.
    """
    reason = dict(reason)
    known_for_s = float(reason.pop("known_for_s", 0.0))

    def work(tx: Connection) -> bool:
        job = jobs.lock(tx, job_id)
        if job is None or shards.claimed_before_resume(tx, shard_id, known_for_s + JUST_RESUMED_S):
            return False
        if reason.get("kind") == "budget" and job.policy.get("on_budget") == "finish":
            return finish_early(tx, job_id, reason, actor="worker")
        return job_control.pause(tx, job_id, reason, actor="worker") is not None

    if retrying(engine, work):
        get_logger(job_id=job_id).warning("job_paused", reason=reason.get("kind"))
