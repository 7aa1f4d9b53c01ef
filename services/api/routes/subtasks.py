"""One subtask with everything that is known of it."""

from flask import Blueprint, Response

from services.api import query
from services.api.answers import answer
from services.api.auth import needs
from services.api.problems import not_found
from services.api.routes.jobs import find_job
from services.api.views.subtasks import subtask_detail
from services.api.wired import wired
from shared.actions.show_subtask import show_subtask
from shared.database import plans, stages

blueprint = Blueprint("subtasks", __name__, url_prefix="/v1/jobs/<job_id>/subtasks")

_MOST_DIGITS = 15


@blueprint.get("/<stage>/<unit>")
@needs("jobs:read")
def get_subtask(job_id: str, stage: str, unit: str) -> Response:
    """Return one unit of a stage: input rows, prompt, tries, raw answers, output, lineage."""
    query.known()
    job = find_job(job_id)
    if not (unit.isascii() and unit.isdigit() and len(unit) <= _MOST_DIGITS):
        raise not_found("subtask")
    with wired().engine.connect() as connection:
        chosen = next((one for one in stages.of_job(connection, job.id) if one.name == stage), None)
        if chosen is None:
            raise not_found("stage")
        found = show_subtask(connection, chosen, int(unit))
        if found is None:
            raise not_found("subtask")
        plan = plans.find(connection, job.id, chosen.plan_version)
    return answer(subtask_detail(found, plan))
