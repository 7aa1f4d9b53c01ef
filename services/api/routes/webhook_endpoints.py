"""Receivers of webhooks: make, list, change, remove, test; their secrets."""

from typing import Any

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.bodies import json_body, no_fields, optional_json_body
from services.api.idempotency import Given, Remember, once
from services.api.problems import not_found
from services.api.schemas.strict import loaded
from services.api.schemas.webhooks import (
    AGAIN,
    EndpointChangesSchema,
    EndpointRequestSchema,
    RedeliverySchema,
    RotationSchema,
)
from services.api.views.webhooks import delivery_object, endpoint_object, secret_object
from services.api.wired import wired
from shared.actions.job_request import WebhookRequest
from shared.actions.redeliver import redeliver_range
from shared.actions.webhook_endpoints import (
    EndpointChanges,
    create_endpoint,
    delete_endpoint,
    edit_endpoint,
    ping_endpoint,
)
from shared.actions.webhook_secrets import Secret, read_endpoint_secret, rotate_endpoint_secret
from shared.database import delivery_log, webhook_endpoints
from shared.database.engine import Connection
from shared.database.webhook_endpoints import EndpointRecord
from shared.messages.deliver_events import DeliverEvents

blueprint = Blueprint("webhook_endpoints", __name__, url_prefix="/v1/webhook-endpoints")

_CREATED, _ACCEPTED, _DONE, _GONE = 201, 202, 200, 204


@blueprint.post("")
@needs("hooks:admin")
def create() -> Response:
    """Make an endpoint; its secret is in the answer."""
    query.known()
    raw, document = json_body()
    data = loaded(EndpointRequestSchema(), document)
    wanted = WebhookRequest(data["url"], tuple(data["events"]))

    def work(remember: Remember) -> Given:
        where: list[str] = []

        def before_commit(connection: Connection, made: EndpointRecord) -> None:
            where.append(f"/v1/webhook-endpoints/{made.id}")
            kept = {**endpoint_object(made), "secret": None}  # answers are stored in the open
            remember(connection, _CREATED, kept, where[0])

        made, secret = create_endpoint(
            wired().engine, wired().settings, actor(), wanted, data["description"], before_commit
        )
        body = {**endpoint_object(made), "secret": secret}
        return Given(_CREATED, body, {"Location": where[0]})

    return once(raw, work)


@blueprint.get("")
@needs("hooks:admin")
def list_endpoints() -> Response:
    """List the project's endpoints, newest first."""
    given = query.known("limit", "cursor")
    limit, scope, before = query.limit(given), f"{actor().project_id} webhook-endpoints", None
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], str)
    with wired().engine.connect() as connection:
        page = webhook_endpoints.page(
            connection, actor().project_id, before=before, limit=limit + 1
        )
    more = len(page) > limit
    items = [endpoint_object(one) for one in page[:limit]]
    return answer(
        {"items": items, "next_cursor": cursors.write(scope, [items[-1]["id"]]) if more else None}
    )


@blueprint.get("/<endpoint_id>")
@needs("hooks:admin")
def get(endpoint_id: str) -> Response:
    """Return one endpoint, that of a job too."""
    _known(endpoint_id)
    with wired().engine.connect() as connection:
        found = webhook_endpoints.find(connection, endpoint_id, actor().project_id)
    if found is None:
        raise not_found("webhook endpoint")
    return answer(endpoint_object(found))


@blueprint.patch("/<endpoint_id>")
@needs("hooks:admin")
def edit(endpoint_id: str) -> Response:
    """Change address, events or description; enable or disable."""
    _known(endpoint_id)
    data = loaded(EndpointChangesSchema(), json_body()[1])
    changes = EndpointChanges(
        url=data.get("url"),
        events=tuple(data["events"]) if "events" in data else None,
        description=data.get("description"),
        enabled=data.get("enabled"),
    )
    changed = edit_endpoint(wired().engine, wired().settings, actor(), endpoint_id, changes)
    return answer(endpoint_object(changed))


@blueprint.delete("/<endpoint_id>")
@needs("hooks:admin")
def delete(endpoint_id: str) -> Response:
    """Remove an endpoint; what waits for it is cancelled."""
    _known(endpoint_id)
    delete_endpoint(wired().engine, actor(), endpoint_id)
    return Response(status=_GONE)


@blueprint.get("/<endpoint_id>/secret")
@needs("hooks:admin")
def get_secret(endpoint_id: str) -> Response:
    """Return the secret of an endpoint."""
    _known(endpoint_id)
    found = read_endpoint_secret(wired().engine, wired().settings, actor(), endpoint_id)
    return answer(secret_object(found))


@blueprint.post("/<endpoint_id>/rotate-secret")
@needs("hooks:admin")
def rotate_secret(endpoint_id: str) -> Response:
    """Make a new secret; the former one signs too for a while."""
    _known(endpoint_id)
    raw, document = optional_json_body()
    overlap_s = loaded(RotationSchema(), document)["overlap_s"]

    def work(remember: Remember) -> Given:
        def before_commit(connection: Connection, changed: EndpointRecord) -> None:
            kept = secret_object(Secret("", changed.former_until), shown=False)
            remember(connection, _DONE, kept, None)

        made = rotate_endpoint_secret(
            wired().engine, wired().settings, actor(), endpoint_id, overlap_s, before_commit
        )
        return Given(_DONE, secret_object(made), {})

    return once(raw, work)


@blueprint.post("/<endpoint_id>/test")
@needs("hooks:admin")
def test(endpoint_id: str) -> Response:
    """Send a ping; the answer is its delivery, to be looked at again."""
    _known(endpoint_id)
    raw = no_fields()

    def work(remember: Remember) -> Given:
        body: dict[str, Any] = {}
        where: list[str] = []

        def before_commit(connection: Connection, delivery_id: str) -> None:
            made = delivery_log.find(connection, delivery_id, actor().project_id)
            if made is None:
                raise LookupError("the delivery that was just made is not there")
            body.update(delivery_object(made))
            where.append(f"/v1/deliveries/{delivery_id}")
            remember(connection, _ACCEPTED, body, where[0])

        ping_endpoint(wired().engine, actor(), endpoint_id, before_commit)
        wired().ring(DeliverEvents(endpoint_id))
        return Given(_ACCEPTED, body, {"Location": where[0]})

    return once(raw, work)


@blueprint.post("/<endpoint_id>/redeliver")
@needs("hooks:admin")
def redeliver(endpoint_id: str) -> Response:
    """Send the deliveries of a span of time again."""
    _known(endpoint_id)
    raw, document = json_body()
    data = loaded(RedeliverySchema(), document)
    statuses = AGAIN[data["status"]]

    def work(remember: Remember) -> Given:
        body: dict[str, Any] = {}

        def before_commit(connection: Connection, count: int) -> None:
            body["redelivered"] = count
            remember(connection, _ACCEPTED, body, None)

        redeliver_range(
            wired().engine, actor(), endpoint_id, data["since"], data["until"], statuses,
            before_commit,
        )  # fmt: skip
        wired().ring(DeliverEvents(endpoint_id))
        return Given(_ACCEPTED, body, {})

    return once(raw, work)


def _known(endpoint_id: str) -> None:
    query.known()
    query.require_id(endpoint_id, "whe", "webhook endpoint")
