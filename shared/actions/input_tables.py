"""Whether an uploaded table may be an input: the actor's, complete, and with the key it claims."""

from shared.actions.actor import Actor
from shared.actions.job_request import InputRequest
from shared.actions.key_check import KeyCheck, require_column
from shared.actions.refusals import FieldProblem, NotFound, WrongState
from shared.contracts.findings import json_pointer
from shared.database import tables
from shared.database.engine import Connection, Engine
from shared.database.tables import TableRecord
from shared.tables.arrow import batch_to_rows
from shared.tables.store import visible_batches


def require_table(connection: Connection, actor: Actor, item: InputRequest) -> TableRecord:
    """Return the sealed table of an input.

    Raises NotFound for one that is unknown, erased or of another project, WrongState (`table_open`)
    for one that is still loading.
    """
    pointer = json_pointer("inputs", item.name, "table")
    table = tables.find(connection, item.table_id or "", actor.project_id)
    if table is None or table.status == "erased":
        raise NotFound("table", [FieldProblem(pointer, "There is no such table.")])
    if table.status != "sealed":
        detail = "This table is still being loaded; wait until its status is sealed."
        raise WrongState("table_open", detail, [FieldProblem(pointer, detail)])
    return table


def require_key(engine: Engine, actor: Actor, item: InputRequest) -> None:
    """Raise Invalid unless the key of an input is a unique column of its table."""
    if item.key is None:
        return
    with engine.connect() as connection:
        table = require_table(connection, actor, item)
    if table.key == item.key:
        return  # checked when it was loaded
    pointer = json_pointer("inputs", item.name, "key")
    require_column((column.name for column in table.columns), item.key, pointer)
    check = KeyCheck(item.key, pointer)
    for batch in visible_batches(engine, table):
        check.add(row[item.key] for row in batch_to_rows(batch.select([item.key])))
