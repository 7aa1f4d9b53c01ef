"""Tells the visits in which a planner waits for a model: they must not keep others from cutting."""

from shared.database import jobs
from shared.database.engine import Engine
from shared.llm.endpoints import endpoints_of
from shared.settings import Settings


def waits_for_model(engine: Engine, settings: Settings, job_id: str) -> bool:
    """Return True when the next visit to this job may call a model; a guess, never wrong for long.

    A visit that turns out differently is only made by another thread than usual.
    """
    if not endpoints_of(settings):
        return False
    with engine.connect() as connection:
        job = jobs.find(connection, job_id)
    if job is None:
        return False
    if job.replan_round is not None:
        return True
    due = job.status in {"queued", "planning"}
    return due and job.given_plan is None and job.planning != "rules"
