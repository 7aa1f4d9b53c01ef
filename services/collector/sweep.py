"""Clears what nobody will come back for: abandoned loads, old idempotency keys, gone workers."""

from functools import partial

from shared.broker.tried import tried
from shared.database import idempotency, spend, tables, usage_hours, view_tokens, workers
from shared.database.engine import Engine, retrying

HOUR_S = 3600
_STEPS = (
    partial(tables.sweep_loading, older_than_s=6 * HOUR_S),
    partial(idempotency.sweep, older_than_s=24 * HOUR_S),
    partial(workers.sweep, older_than_s=24 * HOUR_S),
    partial(spend.sweep, older_than_s=24 * HOUR_S),
    usage_hours.book_ended,
    view_tokens.sweep,
)


def sweep(engine: Engine) -> None:
    """Delete in one short transaction each; repeated, it finds nothing."""
    for step in _STEPS:
        tried("sweep", partial(retrying, engine, step))
