"""Cancels a batch: its job is stopped, what it has answered stays in its output file."""

from collections.abc import Callable

from shared.actions.actor import Actor
from shared.actions.cancel import cancel_job
from shared.actions.refusals import FieldProblem, NotFound, WrongState
from shared.database import audit, batches
from shared.database.batches import BatchRecord
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.domain.job import FINAL


def cancel_batch(
    engine: Engine, actor: Actor, batch_id: str,
    before_commit: Callable[[Connection, BatchRecord], None],
) -> BatchRecord:  # fmt: skip
    """Stop the job of a batch and return it; one that is being cancelled is only returned.

    The caller rings the collector after this. Raises NotFound, and WrongState for a batch that has
    ended.
    """
    with engine.begin() as tx:
        batch = _own(tx, actor, batch_id)
        if batch.job_id is None or batch.job_status in FINAL:
            raise _ended(batch)
        if batch.finish_as == "cancelled":
            before_commit(tx, batch)
            return batch
        job_id = batch.job_id
    found: list[BatchRecord] = []

    def with_job(tx: Connection, _job: JobRecord) -> None:
        batches.note_cancelling(tx, batch_id)
        audit.append(tx, actor.project_id, actor.name, "batch.cancel", batch_id)
        found.append(_own(tx, actor, batch_id))
        before_commit(tx, found[-1])

    cancel_job(engine, actor, job_id, with_job)
    return found[-1]


def _own(tx: Connection, actor: Actor, batch_id: str) -> BatchRecord:
    batch = batches.find(tx, batch_id, actor.project_id)
    if batch is None:
        raise NotFound("batch")
    return batch


def _ended(batch: BatchRecord) -> WrongState:
    status = batch.job_status or "failed"
    told = "The batch has ended; only one that has not can be cancelled."
    return WrongState("wrong_state", told, [FieldProblem("/status", status)])
