"""Marks shards that take much longer than their neighbours; others are given their rest."""

from shared.database import shards
from shared.database.engine import Engine, retrying
from shared.log import get_logger

FACTOR = 3.0  # times the median of the stage's done shards
LEAST_S = 1.0  # so that shards of milliseconds are left alone
SHARDS_IN_ONE_LOOK = 50


def mark_stragglers(engine: Engine) -> None:
    """Look for slow shards once."""
    found = retrying(
        engine,
        lambda tx: shards.mark_slow(
            tx, factor=FACTOR, least_s=LEAST_S, limit=SHARDS_IN_ONE_LOOK
        ),
    )  # fmt: skip
    for job_id in found:
        get_logger(job_id=job_id).info("shards_are_slow")
