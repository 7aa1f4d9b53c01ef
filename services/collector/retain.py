"""Lets go of what is past its time, in small transactions; tombstone and audit log stay."""

from functools import partial

from shared.database import (
    audit,
    batches,
    delivery_log,
    erasure,
    events,
    retention,
    trigger_deliveries,
)
from shared.database.engine import Connection, Engine, retrying
from shared.log import get_logger
from shared.settings import Settings

DAY_S = 86_400.0
JOBS, ROWS = 20, 2_000  # of one transaction
ACTOR = "retention"


def retain(engine: Engine, settings: Settings) -> None:
    """Delete jobs, deliveries and raw answers past their time (0 days: kept for ever)."""
    if settings.keep_jobs_days:
        bury = partial(_bury_some, keep_s=settings.keep_jobs_days * DAY_S)
        while retrying(engine, bury):
            pass
        refused = partial(
            batches.forget_refused, keep_s=settings.keep_jobs_days * DAY_S, limit=ROWS
        )
        while retrying(engine, refused):
            pass
    if settings.keep_deliveries_days:
        keep_s = settings.keep_deliveries_days * DAY_S
        while retrying(engine, partial(delivery_log.forget, keep_s=keep_s, limit=ROWS)):
            pass
    if settings.keep_raw_days:
        keep_s = settings.keep_raw_days * DAY_S
        while retrying(engine, partial(retention.forget_raw, keep_s=keep_s, rows=ROWS)):
            pass
    if settings.keep_hooks_days:
        _erase_posted(engine, settings.keep_hooks_days)


def _erase_posted(engine: Engine, keep_days: float) -> None:
    """Erase what senders posted to triggers; that it came stays, so it is known again."""
    erase = partial(trigger_deliveries.erase_old, keep_s=keep_days * DAY_S, rows=ROWS)
    while retrying(engine, erase):
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
