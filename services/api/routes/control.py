"""What is done with a job that exists: edit, pause, finalize, approve, ...; and an estimate."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from services.api import preconditions, query
from services.api.answers import answer, answer_with_etag
from services.api.auth import actor, needs
from services.api.bodies import json_body, no_fields, optional_json_body
from services.api.idempotency import Given, Remember, once
from services.api.job_request_body import job_body, read_job_request
from services.api.schemas.control import JobEditSchema, PlanEditSchema, RejectionSchema
from services.api.schemas.strict import loaded
from services.api.views.jobs import estimate_object, job_object, plan_object
from services.api.wired import wired
from shared.actions.approve import approve_plan, reject_plan
from shared.actions.edit_job import JobEdit, edit_job
from shared.actions.edit_plan import replace_plan
from shared.actions.estimate import estimate_job
from shared.actions.finalize import finalize_job
from shared.actions.pause import pause_job
from shared.actions.resume import resume_job
from shared.broker.ring import Message
from shared.database import jobs
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.messages.collect_job import CollectJob
from shared.messages.dispatch_job import DispatchJob
from shared.messages.plan_job import PlanJob

blueprint = Blueprint("control", __name__, url_prefix="/v1/jobs")

BeforeCommit = Callable[[Connection, JobRecord], None]
_ACCEPTED = 202


@blueprint.post("/estimate")
@needs("jobs:write")
def estimate() -> Response:
    """Tell what a job would do and cost; nothing is stored."""
    query.known()
    with job_body() as (_, document, files):
        asked = read_job_request(document, files)
        made = estimate_job(wired().engine, wired().settings, actor(), asked)
    return answer(estimate_object(made))


@blueprint.patch("/<job_id>")
@needs("jobs:write")
def edit(job_id: str) -> Response:
    """Change budget, deadline, priority and labels of a job that is not final."""
    _known(job_id)
    versions = preconditions.versions(preconditions.required())
    data = loaded(JobEditSchema(), json_body()[1])
    policy = {name: data[name] for name in ("deadline_s",) if name in data}
    wanted = JobEdit(data["budget"], data["labels"], data["priority"], policy)
    shown: list[Response] = []

    def before_commit(connection: Connection, job: JobRecord) -> None:
        current = jobs.find(connection, job.id) or job  # its version rose with the event
        shown.append(answer_with_etag(job_object(connection, current), version=current.version))

    edit_job(wired().engine, actor(), job_id, versions, wanted, before_commit)
    wired().ring(DispatchJob(job_id))
    return shown[0]


@blueprint.post("/<job_id>/pause")
@needs("jobs:write")
def pause(job_id: str) -> Response:
    """Stop making calls until the job is resumed."""
    raw = _no_fields(job_id)
    return _act(raw, lambda commit: pause_job(wired().engine, actor(), job_id, commit))


@blueprint.post("/<job_id>/resume")
@needs("jobs:write")
def resume(job_id: str) -> Response:
    """Go on with a paused job."""
    raw = _no_fields(job_id)
    return _act(
        raw,
        lambda commit: resume_job(wired().engine, actor(), job_id, commit),
        PlanJob(job_id),
        DispatchJob(job_id),
        CollectJob(job_id),
    )


@blueprint.post("/<job_id>/finalize")
@needs("jobs:write")
def finalize(job_id: str) -> Response:
    """End a job now with what is there."""
    raw = _no_fields(job_id)
    settle_s = wired().settings.finish_settle_s
    return _act(
        raw,
        lambda commit: finalize_job(wired().engine, actor(), job_id, settle_s, commit),
        CollectJob(job_id),
    )


@blueprint.put("/<job_id>/plan")
@needs("jobs:write")
def put_plan(job_id: str) -> Response:
    """Replace the plan of a job that waits for approval."""
    _known(job_id)
    hashes = preconditions.required()
    document = loaded(PlanEditSchema(), json_body()[1])["plan"]
    plan = replace_plan(wired().engine, wired().settings, actor(), job_id, document, hashes)
    response = answer(plan_object(plan))
    response.set_etag(plan.hash)
    return response


@blueprint.post("/<job_id>/plan/approve")
@needs("plans:approve")
def approve(job_id: str) -> Response:
    """Say yes to the plan whose ETag is in `If-Match`; the job starts."""
    raw = _no_fields(job_id)
    hashes = preconditions.required()
    return _act(
        raw,
        lambda commit: approve_plan(wired().engine, actor(), job_id, hashes, commit),
        PlanJob(job_id),
    )


@blueprint.post("/<job_id>/plan/reject")
@needs("plans:approve")
def reject(job_id: str) -> Response:
    """Say no to the plan; the job ends as failed."""
    _known(job_id)
    hashes = preconditions.given()
    raw, document = optional_json_body()
    reason = loaded(RejectionSchema(), document)["reason"]
    return _act(
        raw,
        lambda commit: reject_plan(wired().engine, actor(), job_id, hashes, reason, commit),
        CollectJob(job_id),
    )


def _known(job_id: str) -> None:
    query.known()
    query.require_id(job_id, "job", "job")


def _no_fields(job_id: str) -> bytes:
    _known(job_id)
    return no_fields()


def _act(raw: bytes, action: Callable[[BeforeCommit], JobRecord], *rings: Message) -> Response:
    """Do an action once per idempotency key, answer 202 with the job, and ring."""

    def work(remember: Remember) -> Given:
        body: dict[str, Any] = {}

        def before_commit(connection: Connection, job: JobRecord) -> None:
            body.update(job_object(connection, job))
            remember(connection, _ACCEPTED, body, None)

        action(before_commit)
        for ring in rings:
            wired().ring(ring)
        return Given(_ACCEPTED, body, {})

    match = request.headers.get(preconditions.HEADER, "")
    return once(raw + match.encode(), work)
