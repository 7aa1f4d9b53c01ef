"""Looks whether the invariants hold, and raises the alarm; never repairs in silence."""

from shared.database.engine import Engine
from shared.database.invariants import Breach, breaches, note_look, recent
from shared.log import get_logger

LOOK_BACK_S = 600  # what ended earlier was looked at by earlier looks


def audit(engine: Engine) -> list[Breach]:
    """Look at all that goes on and at what ended lately; return, log and count what is wrong."""
    with engine.connect() as connection:
        found = list(breaches(connection, since=recent(connection, LOOK_BACK_S)))
    with engine.begin() as tx:
        note_look(tx, found)
    for breach in found:
        get_logger().error(
            "invariant_broken", invariant=breach.invariant, object=breach.object_id,
            detail=breach.detail,
        )  # fmt: skip
    return found
