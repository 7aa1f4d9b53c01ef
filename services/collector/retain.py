"""Lets go of what is past its time, in small transactions; tombstone and audit log stay."""

from functools import partial

from shared.database import audit, erasure, events, retention
from shared.database.engine import Connection, Engine, retrying
from shared.log import get_logger
from shared.settings import Settings

DAY_S = 86_400.0
JOBS, ROWS = 20, 2_000  # of one transaction
ACTOR = "retention"


def retain(engine: Engine, settings: Settings) -> None:
    """Delete jobs and forget raw answers past their time (0 days: kept for ever)."""
    if settings.keep_jobs_days:
        bury = partial(_bury_some, keep_s=settings.keep_jobs_days * DAY_S)
        while retrying(engine, bury):
            pass
    if settings.keep_raw_days:
        keep_s = settings.keep_raw_days * DAY_S
        while retrying(engine, partial(retention.forget_raw, keep_s=keep_s, rows=ROWS)):
            pass


def _bury_some(tx: Connection, keep_s: float) -> int:
    """As DELETE does; what the jobs leave in bulk is erased by `erase_deleted`."""
    found = retention.outlived(tx, keep_s, JOBS)
    for job_id, project_id in found:
        erasure.bury(tx, job_id)
        events.append(tx, job_id, "job.deleted", actor=ACTOR, data={})
        audit.append(tx, project_id, ACTOR, "job.delete", job_id)
        get_logger(job_id=job_id).info("job_past_its_time")
    return len(found)
