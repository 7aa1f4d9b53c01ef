"""Jobs made of a final job: retry and fork."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g

from services.api import query
from services.api.auth import actor, needs
from services.api.bodies import json_body, optional_json_body
from services.api.idempotency import Given, Remember, once
from services.api.job_request_body import read_inputs
from services.api.request_id import traceparent
from services.api.schemas.control import ForkSchema, RetrySchema
from services.api.schemas.strict import loaded
from services.api.views.jobs import job_object
from services.api.wired import wired
from shared.actions.fork import Fork, fork_job
from shared.actions.retry import Retry, retry_job
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.messages.plan_job import PlanJob

blueprint = Blueprint("descendants", __name__, url_prefix="/v1/jobs")

BeforeCommit = Callable[[Connection, JobRecord], None]
_ACCEPTED = 202


@blueprint.post("/<job_id>/retry")
@needs("jobs:write")
def retry(job_id: str) -> Response:
    """Make a job that keeps the good units of this one and runs the selected ones again."""
    _known(job_id)
    raw, document = optional_json_body()
    data = loaded(RetrySchema(), document)
    asked = Retry(data["select"], data["overrides"], g.request_id, traceparent())
    return _make(
        raw,
        lambda commit: retry_job(wired().engine, wired().settings, actor(), job_id, asked, commit),
    )


@blueprint.post("/<job_id>/fork")
@needs("jobs:write")
def fork(job_id: str) -> Response:
    """Make a job with other inputs, plan or policy; unchanged units are reused."""
    _known(job_id)
    raw, document = json_body()
    data = loaded(ForkSchema(), document)
    policy = {name: value for name, value in data["policy"].items() if name != "priority"}
    asked = Fork(
        inputs=read_inputs(data["inputs"], {}),
        plan=data["plan"],
        policy=policy,
        priority=data["policy"].get("priority"),
        request_id=g.request_id,
        traceparent=traceparent(),
    )
    return _make(
        raw,
        lambda commit: fork_job(wired().engine, wired().settings, actor(), job_id, asked, commit),
    )


def _known(job_id: str) -> None:
    query.known()
    query.require_id(job_id, "job", "job")


def _make(raw: bytes, action: Callable[[BeforeCommit], JobRecord]) -> Response:
    """Make the job once per idempotency key, answer 202 with it, and ring the planner."""

    def work(remember: Remember) -> Given:
        body: dict[str, Any] = {}

        def before_commit(connection: Connection, job: JobRecord) -> None:
            body.update(job_object(connection, job))
            remember(connection, _ACCEPTED, body, body["links"]["self"])

        made = action(before_commit)
        wired().ring(PlanJob(made.id))
        return Given(_ACCEPTED, body, {"Location": body["links"]["self"]})

    return once(raw, work)
