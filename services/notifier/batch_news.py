"""Makes results.ready and subtask.failed: at most one each for a job and span of time."""

from typing import Any

from shared.contracts.cursors import noted_cursor
from shared.database import webhook_batches, webhook_events
from shared.database.engine import Connection, Engine, retrying
from shared.database.webhook_batches import Batch, News
from shared.domain.ids import new_id
from shared.domain.webhook import BATCHED

RESULTS, FAILED = BATCHED
MOST_JOBS = 500  # in one look


def batch_news(engine: Engine, batch_s: float) -> int:
    """Look at the jobs whose time has come; return how many. One transaction for each."""
    for looked in range(MOST_JOBS):
        if not retrying(engine, lambda tx: _look_at_one(tx, batch_s)):
            return looked
    return MOST_JOBS


def _look_at_one(tx: Connection, batch_s: float) -> bool:
    """Tell what a job did since the last look, and note it in the same transaction."""
    batch = webhook_batches.due(tx)
    if batch is None:
        return False
    job = webhook_batches.job_of(tx, batch.job_id)
    if job is None:
        webhook_batches.forget(tx, batch.job_id)
        return True
    project_id, final = job
    news = webhook_batches.news(tx, batch)
    _tell(tx, project_id, batch, news)
    if final or not webhook_events.is_wanted(tx, batch.job_id, BATCHED):
        webhook_batches.forget(tx, batch.job_id)
    else:
        noted = {**batch.noted, **{str(one.stage_id): one.last_no for one in news}}
        webhook_batches.put_off(tx, batch.job_id, noted, batch_s)
    return True


def _tell(tx: Connection, project_id: str, batch: Batch, news: list[News]) -> None:
    at, job_id = webhook_batches.now(tx), batch.job_id
    for one in news:
        if one.is_result and one.succeeded:
            cursor = noted_cursor(project_id, job_id, one.stage, "succeeded", one.first_no)
            data = {"units": one.succeeded, **_where(job_id, one.stage, "succeeded", cursor)}
            webhook_events.announce_now(tx, job_id, RESULTS, new_id("evt"), at, data)
    failed = [one for one in news if one.failed]
    if failed:
        stages = [
            {
                "units": one.failed,
                **_where(
                    job_id, one.stage, "failed",
                    noted_cursor(
                        project_id, job_id, one.stage, "failed", one.first_failed_no or one.first_no
                    ),
                ),
            }
            for one in failed
        ]  # fmt: skip
        data = {"units": sum(one.failed for one in failed), "stages": stages}
        webhook_events.announce_now(tx, job_id, FAILED, new_id("evt"), at, data)


def _where(job_id: str, stage: str, outcome: str, cursor: str) -> dict[str, Any]:
    """Return where the rows are: from the cursor on come these and whatever came later."""
    path = f"/v1/jobs/{job_id}/results?stage={stage}&outcome={outcome}&cursor={cursor}"
    return {"stage": stage, "cursor": cursor, "path": path}
