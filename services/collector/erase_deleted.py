"""Erases what deleted jobs leave, batch by batch: no lock is held for long."""

from functools import partial

from shared.broker.tried import tried
from shared.database import erasure
from shared.database.engine import Engine, retrying
from shared.log import get_logger

JOBS_IN_ONE_LOOK = 20
ROWS = 5_000
CHUNKS = 20  # about a megabyte each
LATE_S, LATEST_S = 600.0, 3 * 3_600.0


def erase_deleted(engine: Engine) -> None:
    """Erase every deleted job to its tombstone; killed midway, the next look goes on."""
    with engine.connect() as connection:
        found = erasure.due(connection, JOBS_IN_ONE_LOOK)
    for job_id in found:
        tried("erase", partial(_erase, engine, job_id), job_id)


def look_again(engine: Engine) -> None:
    """Let jobs deleted a while ago be looked at once more, for what was written late."""
    retrying(engine, lambda tx: erasure.reopen(tx, LATE_S, LATEST_S))


def _erase(engine: Engine, job_id: str) -> None:
    retrying(engine, partial(erasure.mark_tables, job_id=job_id))
    batch = partial(erasure.erase_batch, job_id=job_id, rows=ROWS, chunks=CHUNKS)
    while retrying(engine, batch):
        pass
    retrying(engine, partial(erasure.close, job_id=job_id))
    get_logger(job_id=job_id).info("job_erased")
