"""A final job as one archive."""

from flask import Blueprint, Response, request

from services.api import query
from services.api.auth import needs
from services.api.bundle.job_bundle import bundle_of
from services.api.long_answer import begun
from services.api.routes.jobs import find_job
from services.api.wired import wired
from shared.actions.own_job import wrong_state
from shared.domain.job import FINAL

blueprint = Blueprint("bundle", __name__, url_prefix="/v1/jobs/<job_id>")

_MEDIA_TYPE = "application/zip"


@blueprint.get("/bundle")
@needs("jobs:read")
def get_bundle(job_id: str) -> Response:
    """Return goal, plans, prompts, raw answers, outputs, costs and hashes as a zip."""
    query.known()
    job = find_job(job_id)
    if job.status not in FINAL:
        raise wrong_state(job, "only a final job has a bundle")
    body = () if request.method == "HEAD" else begun(bundle_of(wired().engine, job))
    response = Response(body, content_type=_MEDIA_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{job.id}.zip"'
    return response
