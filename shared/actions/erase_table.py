"""Erases the rows of a table; its name and that it was there stay in the audit log."""

from shared.actions.actor import Actor
from shared.actions.refusals import NotFound, WrongState
from shared.database import audit, table_locks, tables
from shared.database.engine import Engine, again_if_rolled_back


@again_if_rolled_back
def erase_table(engine: Engine, actor: Actor, table_id: str) -> None:
    """Erase an uploaded table.

    Raises NotFound for one that is unknown, of another project, erased already or no upload
    (literal, stage), and WrongState (`table_in_use`) while a job that is not final uses it.
    """
    with engine.begin() as connection:
        table_locks.hold_alone(connection, table_id)
        table = tables.find(connection, table_id, actor.project_id)
        if table is None or table.kind != "input" or table.status == "erased":
            raise NotFound("table")
        if table.status != "sealed" or not tables.erase(connection, table_id):
            raise WrongState("table_in_use", "A job that is not final uses this table.")
        audit.append(connection, actor.project_id, actor.name, "table.erase", table_id)
