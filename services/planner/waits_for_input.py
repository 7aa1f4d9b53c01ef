"""Tells the visits in which a planner fetches files: they must not keep others from cutting."""

from shared.database import awaited_inputs
from shared.database.engine import Engine


def waits_for_input(engine: Engine, job_id: str) -> bool:
    """Return True when the next visit to this job fetches an input first."""
    with engine.connect() as connection:
        return awaited_inputs.any_of_job(connection, job_id)
