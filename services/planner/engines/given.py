"""The engine for a plan the client wrote."""

from services.planner.engines import NotPlanned, Planned
from shared.database.jobs import JobRecord


def plan(job: JobRecord) -> Planned | NotPlanned:
    """Return the job's own plan as it was submitted."""
    if job.given_plan is None:
        return NotPlanned("plan_missing", "`planning: given` needs a plan in the request.")
    return Planned("given", job.given_plan)
