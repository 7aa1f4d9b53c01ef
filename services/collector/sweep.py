"""Clears what nobody will come back for: abandoned loads, old idempotency keys, gone workers."""

from shared.database import idempotency, spend, tables, usage_hours, view_tokens, workers
from shared.database.engine import Engine

HOUR_S = 3600


def sweep(engine: Engine) -> None:
    """Delete in one short transaction each; repeated, it finds nothing."""
    with engine.begin() as tx:
        tables.sweep_loading(tx, 6 * HOUR_S)
    with engine.begin() as tx:
        idempotency.sweep(tx, 24 * HOUR_S)
    with engine.begin() as tx:
        workers.sweep(tx, 24 * HOUR_S)
    with engine.begin() as tx:
        spend.sweep(tx, 24 * HOUR_S)
    with engine.begin() as tx:
        usage_hours.book_ended(tx)
    with engine.begin() as tx:
        view_tokens.sweep(tx)
