"""Erases what deleted files leave, and deletes files that are past their time."""

from functools import partial

from shared.actions.actor import Actor
from shared.actions.delete_file import delete_file
from shared.actions.refusals import Refusal
from shared.database import batch_files, tables
from shared.database.batch_files import Leftover
from shared.database.engine import Connection, Engine, retrying
from shared.log import get_logger
from shared.tables.batch_file import keep_custom_ids

FILES_IN_ONE_LOOK = 50


def erase_files(engine: Engine) -> None:
    """Erase every deleted file; killed midway, the next look goes on.

    While a batch that is kept was made of it, its custom ids stay: the batch's error file names
    them. They go with the last such batch.
    """
    with engine.connect() as connection:
        found = batch_files.due(connection, FILES_IN_ONE_LOOK)
    for leftover in found:
        if leftover.needed:
            _strip(engine, leftover)
        else:
            retrying(engine, partial(_erase, leftover=leftover))
        get_logger(file_id=leftover.file_id).info("file_erased", ids_kept=leftover.needed)


def expire_files(engine: Engine) -> None:
    """Delete files whose time is over, as DELETE does."""
    while True:
        with engine.connect() as connection:
            found = batch_files.expired(connection, FILES_IN_ONE_LOOK)
        deleted = [_expire(engine, file_id, project_id) for file_id, project_id in found]
        if not any(deleted):
            return


def _strip(engine: Engine, leftover: Leftover) -> None:
    with engine.connect() as connection:
        table = tables.find(connection, leftover.table_id)
    if table is not None:
        keep_custom_ids(engine, table)
    retrying(engine, partial(batch_files.mark_stripped, file_id=leftover.file_id))


def _erase(tx: Connection, leftover: Leftover) -> None:
    batch_files.erase(tx, leftover)


def _expire(engine: Engine, file_id: str, project_id: str) -> bool:
    try:
        delete_file(engine, Actor(project_id, None, frozenset()), file_id, expired=True)
    except Refusal:  # a batch was made of it a moment ago, or it was deleted
        return False
    return True
