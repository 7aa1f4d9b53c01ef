"""Pauses a job for a reason its units met: an exhausted budget or account, a breaker."""

from typing import Any

from shared.actions.finish_early import finish_early
from shared.database import job_control, jobs, shards, spend
from shared.database.engine import Connection, Engine, SQLAlchemyError, retrying
from shared.log import get_logger

JUST_RESUMED_S = 2.0  # what was found out this short after a resume is looked at once more


def pause_job(
    engine: Engine, job_id: str, shard_id: int, reason: dict[str, Any], settle_s: float
) -> None:
    """running -> paused(reason), once; results stay readable and resume goes on.

    At the end of a budget the policy may say ``on_budget: finish`` instead: what is under way may
    settle for `settle_s`, the rest of the stage is skipped; not at the end of a day's spend, for
    tomorrow it goes on. A budget that was changed since is an old story and pauses nothing; so is
    what else a shard met that was claimed before the job was resumed. Gives up when Postgres stays
    away: that must not abort calls under way, and the next one finds out again.
    """
    of_budget = reason.get("kind") == "budget"

    def work(tx: Connection) -> bool:
        job = jobs.lock(tx, job_id)  # who changes the budget holds it too
        if job is None:
            return False
        if of_budget and not spend.is_at_limit(tx, job_id, reason):
            return False
        if not of_budget and shards.claimed_before_resume(tx, shard_id, JUST_RESUMED_S):
            return False
        may_finish = of_budget and reason.get("scope") != "day"
        if may_finish and job.policy.get("on_budget") == "finish":
            return finish_early(tx, job_id, reason, actor="worker", settle_s=settle_s)
        return job_control.pause(tx, job_id, reason, actor="worker") is not None

    log = get_logger(job_id=job_id)
    try:
        if retrying(engine, work):
            log.warning("job_paused", reason=reason.get("kind"))
    except SQLAlchemyError as error:
        log.warning("job_not_paused", reason=reason.get("kind"), error=type(error).__name__)
