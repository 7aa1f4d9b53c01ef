"""Workflows: define, list, look at, delete, run."""

from typing import Any

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer, answer_with_etag
from services.api.auth import actor, needs
from services.api.bodies import json_body
from services.api.idempotency import Given, Remember, once
from services.api.job_request_body import job_body, read_job_request
from services.api.problems import not_found
from services.api.routes.jobs import take_in
from services.api.schemas.strict import loaded
from services.api.schemas.workflow import WorkflowCreateSchema, WorkflowRunSchema
from services.api.schemas.workflow_ref import HIGHEST_VERSION
from services.api.uploads import NO_JOB
from services.api.views.workflows import workflow_object
from services.api.wired import wired
from shared.actions.define_workflow import NewWorkflow, create_workflow, delete_workflow
from shared.actions.job_request import JobRequest, UploadedFile
from shared.actions.refusals import FieldProblem, Invalid
from shared.contracts.names import is_workflow_name
from shared.database import workflows
from shared.database.engine import Connection
from shared.database.workflows import WorkflowRecord

blueprint = Blueprint("workflows", __name__, url_prefix="/v1/workflows")

_CREATED = 201


@blueprint.post("")
@needs("jobs:write")
def create() -> Response:
    """Define a workflow, or the next version of one."""
    query.known()
    raw, document = json_body()
    return once(raw, lambda remember: _create(document, remember))


def _create(document: Any, remember: Remember) -> Given:
    new = NewWorkflow(**loaded(WorkflowCreateSchema(), document))
    body: dict[str, Any] = {}

    def before_commit(connection: Connection, workflow: WorkflowRecord) -> None:
        body.update(workflow_object(workflow))
        remember(connection, _CREATED, body, body["links"]["self"])

    create_workflow(wired().engine, wired().settings, actor(), new, before_commit)
    return Given(_CREATED, body, {"Location": body["links"]["self"]})


@blueprint.get("")
@needs("jobs:read")
def list_workflows() -> Response:
    """List the newest version of each of the project's workflows, by name."""
    given = query.known("limit", "cursor")
    limit, scope, project_id = query.limit(given), _scope("workflows"), actor().project_id
    [after] = cursors.read(scope, given["cursor"], str) if "cursor" in given else [""]
    with wired().engine.connect() as connection:
        page = workflows.page(connection, project_id, after=after, limit=limit + 1)
    cursor = cursors.write(scope, [page[limit - 1].name]) if len(page) > limit else None
    items = [workflow_object(one, brief=True) for one in page[:limit]]
    return answer({"items": items, "next_cursor": cursor})


@blueprint.get("/<name>")
@needs("jobs:read")
def get(name: str) -> Response:
    """Return the newest version of a workflow, or the one of `?version=`."""
    given = query.known("version")
    version = None
    if "version" in given:
        version = query.whole_number(given, "version", 0, 1, HIGHEST_VERSION)
    return answer_with_etag(workflow_object(_find(name, version)))


@blueprint.get("/<name>/versions")
@needs("jobs:read")
def list_versions(name: str) -> Response:
    """List the versions of a workflow, newest first."""
    given = query.known("limit", "cursor")
    found, limit = _find(name), query.limit(given)
    scope = _scope(f"workflow {found.id} versions")
    before = None
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], int)
    with wired().engine.connect() as connection:
        page = workflows.versions(connection, found.id, before=before, limit=limit + 1)
    cursor = cursors.write(scope, [page[limit - 1].version]) if len(page) > limit else None
    items = [workflow_object(one, brief=True) for one in page[:limit]]
    return answer({"items": items, "next_cursor": cursor})


@blueprint.delete("/<name>")
@needs("jobs:write")
def delete(name: str) -> Response:
    """Delete a workflow with its versions."""
    query.known()
    _require_name(name)
    delete_workflow(wired().engine, actor(), name)
    return Response(status=204)


@blueprint.post("/<name>/runs")
@needs("jobs:write")
def run(name: str) -> Response:
    """Run a workflow on inputs; answers 202 with the job."""
    query.known()
    _require_name(name)
    with job_body() as (fingerprint, document, files):
        return once(
            fingerprint, lambda remember: take_in(_run_request(name, document, files), remember)
        )


def _run_request(name: str, document: Any, files: dict[str, list[UploadedFile]]) -> JobRequest:
    """Return what the same body would be as a job that names the workflow."""
    if document is NO_JOB:
        raise Invalid([FieldProblem("/job", "Send a part job with the JSON of the run.")])
    version = loaded(WorkflowRunSchema(), document)["version"]
    _find(name, version)
    rest = {member: value for member, value in document.items() if member != "version"}
    return read_job_request({**rest, "workflow": {"name": name, "version": version}}, files)


def _find(name: str, version: int | None = None) -> WorkflowRecord:
    _require_name(name)
    with wired().engine.connect() as connection:
        found = workflows.find(connection, actor().project_id, name, version)
    if found is None:
        raise not_found("workflow")
    return found


def _require_name(name: str) -> None:
    if not is_workflow_name(name):
        raise not_found("workflow")


def _scope(of: str) -> str:
    return f"{actor().project_id} {of}"
