"""Batches of the OpenAI-compatible interface, and the models they may ask for."""

from typing import Any

from flask import Blueprint, Response, g

from services.api import query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.bodies import json_body, no_fields
from services.api.idempotency import Given, Remember, once
from services.api.problems import not_found
from services.api.request_id import traceparent
from services.api.routes.batch_files import after_id
from services.api.schemas.batches import BatchRequestSchema
from services.api.schemas.job_request import PolicySchema
from services.api.schemas.strict import loaded
from services.api.views.batches import batch_object, batch_objects, model_objects, page_object
from services.api.wired import wired
from shared.actions.cancel_batch import cancel_batch
from shared.actions.create_batch import BatchRequest, create_batch
from shared.database import batches
from shared.database.batches import BatchRecord
from shared.database.engine import Connection
from shared.llm.endpoints import endpoints_of
from shared.messages.collect_job import CollectJob
from shared.messages.plan_job import PlanJob

blueprint = Blueprint("batches", __name__, url_prefix="/openai/v1")

DEFAULT_LIMIT, LONGEST_PAGE = 20, 100
_CREATED = 201
_SCHEMA = BatchRequestSchema()


@blueprint.post("/batches")
@needs("jobs:write")
def create() -> Response:
    """Run the lines of a file."""
    query.known()
    raw, document = json_body()
    return once(raw, lambda remember: _create(_read(document), remember))


def _create(request: BatchRequest, remember: Remember) -> Given:
    body: dict[str, Any] = {}
    headers: dict[str, str] = {}

    def before_commit(connection: Connection, batch: BatchRecord) -> None:
        body.update(batch_object(connection, batch))
        headers["Location"] = f"{blueprint.url_prefix}/batches/{batch.id}"
        remember(connection, _CREATED, body, headers["Location"])

    batch = create_batch(wired().engine, wired().settings, actor(), request, before_commit)
    if batch.job_id is not None:
        wired().ring(PlanJob(batch.job_id))
    return Given(_CREATED, body, headers)


def _read(document: Any) -> BatchRequest:
    data = loaded(_SCHEMA, document)
    policy = PolicySchema().load({"reuse": "none"})
    priority = policy.pop("priority")
    expiry = data["output_expires_after"]
    return BatchRequest(
        input_file_id=data["input_file_id"],
        endpoint=data["endpoint"],
        completion_window=data["completion_window"],
        policy=policy,
        priority=priority,
        metadata=data["metadata"],
        outputs_keep_s=expiry["seconds"] if expiry else None,
        request_id=g.request_id,
        traceparent=traceparent(),
    )


@blueprint.get("/batches")
@needs("jobs:read")
def list_batches() -> Response:
    """List the project's batches, newest first."""
    given = query.known("after", "limit")
    limit = query.whole_number(given, "limit", DEFAULT_LIMIT, 1, LONGEST_PAGE)
    with wired().engine.connect() as connection:
        page = batches.page(
            connection, actor().project_id, after=after_id(given, "bat"), limit=limit + 1
        )
        items = batch_objects(connection, page[:limit])
    return answer(page_object(items, more=len(page) > limit))


@blueprint.get("/batches/<batch_id>")
@needs("jobs:read")
def get_batch(batch_id: str) -> Response:
    """Return one batch."""
    query.known()
    query.require_id(batch_id, "bat", "batch")
    with wired().engine.connect() as connection:
        batch = batches.find(connection, batch_id, actor().project_id)
        if batch is None:
            raise not_found("batch")
        return answer(batch_object(connection, batch))


@blueprint.post("/batches/<batch_id>/cancel")
@needs("jobs:write")
def cancel(batch_id: str) -> Response:
    """Stop a batch; what it has answered stays in its output file."""
    query.known()
    query.require_id(batch_id, "bat", "batch")
    return once(no_fields(), lambda remember: _cancel(batch_id, remember))


def _cancel(batch_id: str, remember: Remember) -> Given:
    body: dict[str, Any] = {}

    def before_commit(connection: Connection, batch: BatchRecord) -> None:
        body.update(batch_object(connection, batch))
        remember(connection, 200, body, None)

    batch = cancel_batch(wired().engine, actor(), batch_id, before_commit)
    if batch.job_id is not None:
        wired().ring(CollectJob(batch.job_id))
    return Given(200, body, {})


@blueprint.get("/models")
@needs("jobs:read")
def list_models() -> Response:
    """List the models and endpoints a line may ask for."""
    query.known()
    found = model_objects(endpoints_of(wired().settings))
    return answer({"object": "list", "data": found})


@blueprint.get("/models/<path:model>")
@needs("jobs:read")
def get_model(model: str) -> Response:
    """Return one of them."""
    query.known()
    known = model_objects(endpoints_of(wired().settings))
    found = next((one for one in known if one["id"] == model), None)
    if found is None:
        raise not_found("model")
    return answer(found)
