"""Jobs: create, list, look at, cancel."""

import threading
import time
from typing import Any, get_args

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer, answer_with_etag
from services.api.auth import actor, needs
from services.api.bodies import no_fields
from services.api.idempotency import Given, Remember, once
from services.api.job_request_body import job_body, read_job_request
from services.api.problems import invalid, not_found
from services.api.views.jobs import job_object, job_objects
from services.api.wired import wired
from shared.actions.cancel import cancel_job
from shared.actions.delete_job import delete_job
from shared.actions.job_request import JobRequest
from shared.actions.refusals import Gone
from shared.actions.submit import submit_job
from shared.database import job_list, jobs
from shared.database.engine import Connection
from shared.database.job_list import JobFilter
from shared.database.jobs import JobRecord
from shared.domain.job import FINAL, JobStatus
from shared.messages.collect_job import CollectJob
from shared.messages.plan_job import PlanJob
from shared.seams import reach

blueprint = Blueprint("jobs", __name__, url_prefix="/v1/jobs")

STATUSES: tuple[str, ...] = get_args(JobStatus)
LONGEST_WAIT_S = 60
_WAIT_STEP_S = 0.25
_ACCEPTED = 202


@blueprint.post("")
@needs("jobs:write")
def create_job() -> Response:
    """Take a job in; answers 202 as soon as it is stored."""
    query.known()
    with job_body() as (fingerprint, document, files):
        return once(
            fingerprint, lambda remember: take_in(read_job_request(document, files), remember)
        )


def take_in(request: JobRequest, remember: Remember) -> Given:
    """Store a job and ring the planner; what a route gives to `once`."""
    body: dict[str, Any] = {}

    def before_commit(connection: Connection, job: JobRecord) -> None:
        body.update(job_object(connection, job))
        remember(connection, _ACCEPTED, body, body["links"]["self"])

    job = submit_job(wired().engine, wired().settings, actor(), request, before_commit)
    reach("api_after_commit")
    wired().ring(PlanJob(job.id))
    return Given(_ACCEPTED, body, {"Location": body["links"]["self"]})


@blueprint.get("")
@needs("jobs:read")
def list_jobs() -> Response:
    """List the project's jobs, newest first."""
    given = query.known(
        "status", "created_after", "created_before", "q", "limit", "cursor", prefixes=("label.",)
    )
    limit, wanted = query.limit(given), _filter(given)
    scope = f"{actor().project_id} jobs {wanted}"
    before = None
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], str)
    with wired().engine.connect() as connection:
        page = job_list.page(connection, actor().project_id, wanted, before=before, limit=limit + 1)
        items = job_objects(connection, page[:limit])
    more = len(page) > limit
    return answer(
        {
            "items": items,
            "next_cursor": cursors.write(scope, [page[limit - 1].id]) if more else None,
        }
    )


def _filter(given: dict[str, str]) -> JobFilter:
    labels = {name[6:]: value for name, value in given.items() if name.startswith("label.")}
    if "" in labels:
        raise invalid("/query/label.", "Name the label: label.KEY=VALUE.")
    return JobFilter(
        status=query.choice(given, "status", STATUSES),
        labels=labels,
        created_after=query.moment(given, "created_after"),
        created_before=query.moment(given, "created_before"),
        goal_contains=given.get("q"),
    )


@blueprint.get("/<job_id>")
@needs("jobs:read", or_view_token=True)
def get_job(job_id: str) -> Response:
    """Return one job; `?wait=SECONDS` waits for a final state."""
    given = query.known("wait", "token")
    job = _await_end(job_id, query.whole_number(given, "wait", 0, 0, LONGEST_WAIT_S))
    with wired().engine.connect() as connection:
        return answer_with_etag(job_object(connection, job), version=job.version)


def _await_end(job_id: str, wait_s: int) -> JobRecord:
    """Look at the job until it is final or the time is over; at once when too many wait."""
    deadline = time.monotonic() + wait_s
    job = find_job(job_id, deleted=True)
    if job.status in FINAL or not wait_s or not wired().waiters.acquire(blocking=False):
        return job
    try:
        while job.status not in FINAL and (left := deadline - time.monotonic()) > 0:
            _pause(min(_WAIT_STEP_S, left))
            job = find_job(job_id, deleted=True)
    finally:
        wired().waiters.release()
    return job


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


@blueprint.post("/<job_id>/cancel")
@needs("jobs:write")
def cancel(job_id: str) -> Response:
    """Stop a job that is not final."""
    query.known()
    query.require_id(job_id, "job", "job")
    return once(no_fields(), lambda remember: _cancel(job_id, remember))


def _cancel(job_id: str, remember: Remember) -> Given:
    body: dict[str, Any] = {}

    def before_commit(connection: Connection, job: JobRecord) -> None:
        body.update(job_object(connection, job))
        remember(connection, _ACCEPTED, body, None)

    cancel_job(wired().engine, actor(), job_id, before_commit)
    wired().ring(CollectJob(job_id))
    return Given(_ACCEPTED, body, {})


@blueprint.delete("/<job_id>")
@needs("jobs:write")
def delete(job_id: str) -> Response:
    """Delete a final job; what it made is erased soon after."""
    query.known()
    query.require_id(job_id, "job", "job")
    job = delete_job(wired().engine, actor(), job_id)
    with wired().engine.connect() as connection:
        return answer(job_object(connection, job), _ACCEPTED)


def find_job(job_id: str, *, deleted: bool = False) -> JobRecord:
    """Return a job of the actor's project, or 404; of a deleted one the tombstone, or 410."""
    query.require_id(job_id, "job", "job")
    with wired().engine.connect() as connection:
        job = jobs.find(connection, job_id, actor().project_id)
    if job is None:
        raise not_found("job")
    if job.deleted_at is not None and not deleted:
        raise Gone("job")
    return job
