"""Deletes a file of the OpenAI-compatible interface; the collector erases what it leaves."""

from shared.actions.actor import Actor
from shared.actions.delete_job import bury_job
from shared.actions.own_job import find_own
from shared.actions.refusals import FieldProblem, NotFound, WrongState
from shared.database import audit, batch_files, table_locks
from shared.database.batch_files import FileRecord
from shared.database.engine import Connection, Engine, again_if_rolled_back


@again_if_rolled_back
def delete_file(engine: Engine, actor: Actor, file_id: str, *, expired: bool = False) -> FileRecord:
    """Delete a file and return what it was; with `expired` also one past its time.

    With the last file that a batch made goes the job of the batch. Raises NotFound, and WrongState
    while a batch that has not ended reads or writes the file.
    """
    with engine.begin() as tx:
        file = batch_files.find(tx, file_id, actor.project_id, expired=expired)
        if file is None:
            raise NotFound("file")
        if file.table_id is not None:
            _delete_input(tx, file, file.table_id)
        else:
            _delete_made(tx, actor, file)
        audit.append(tx, actor.project_id, actor.name, "file.delete", file_id)
    return file


def _delete_input(tx: Connection, file: FileRecord, table_id: str) -> None:
    table_locks.hold_alone(tx, table_id)  # nobody makes a job of it meanwhile
    if batch_files.is_in_use(tx, table_id):
        raise _in_use(file)
    if not batch_files.mark_deleted(tx, file.id):
        raise NotFound("file")


def _delete_made(tx: Connection, actor: Actor, file: FileRecord) -> None:
    if file.job_id is None or file.batch_id is None:
        raise LookupError(f"file {file.id} is of no batch with a job")
    job = find_own(tx, actor, file.job_id)
    if job.finished_at is None:
        raise _in_use(file)
    if job.deleted_at is not None or not batch_files.mark_deleted(tx, file.id):
        raise NotFound("file")
    if not batch_files.has_other_made(tx, file.batch_id, file.id):
        bury_job(tx, actor, job)


def _in_use(file: FileRecord) -> WrongState:
    told = "A batch that has not ended uses this file; cancel it, or wait for its end."
    return WrongState("file_in_use", told, [FieldProblem("/role", file.role)])
