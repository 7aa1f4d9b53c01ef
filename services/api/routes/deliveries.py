"""The log of webhooks, sending one again, and the secret of the project."""

from typing import Any

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.bodies import no_fields, optional_json_body
from services.api.idempotency import Given, Remember, once
from services.api.problems import not_found
from services.api.schemas.strict import loaded
from services.api.schemas.webhooks import RotationSchema
from services.api.views.webhooks import delivery_detail, delivery_object, secret_object
from services.api.wired import wired
from shared.actions.redeliver import redeliver
from shared.actions.webhook_secrets import Secret, read_project_secret, rotate_project_secret
from shared.database import delivery_log
from shared.database.delivery_log import DeliveryRecord
from shared.database.engine import Connection
from shared.messages.deliver_events import DeliverEvents

blueprint = Blueprint("deliveries", __name__, url_prefix="/v1")

_ACCEPTED, _DONE = 202, 200


@blueprint.get("/deliveries")
@needs("hooks:admin")
def list_deliveries() -> Response:
    """List deliveries, newest first."""
    given = query.known("endpoint", "status", "job", "limit", "cursor")
    limit = query.limit(given)
    status = query.choice(given, "status", delivery_log.STATUSES)
    endpoint_id, job_id, before = given.get("endpoint"), given.get("job"), None
    scope = f"{actor().project_id} deliveries {endpoint_id} {status} {job_id}"
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], str)
    with wired().engine.connect() as connection:
        page = delivery_log.page(
            connection, actor().project_id, endpoint_id=endpoint_id, status=status,
            job_id=job_id, before=before, limit=limit + 1,
        )  # fmt: skip
    more = len(page) > limit
    items = [delivery_object(one) for one in page[:limit]]
    return answer(
        {"items": items, "next_cursor": cursors.write(scope, [items[-1]["id"]]) if more else None}
    )


@blueprint.get("/deliveries/<delivery_id>")
@needs("hooks:admin")
def get_delivery(delivery_id: str) -> Response:
    """Return one delivery with what was sent and answered."""
    _known(delivery_id)
    with wired().engine.connect() as connection:
        found = delivery_log.find(connection, delivery_id, actor().project_id)
        if found is None:
            raise not_found("delivery")
        return answer(delivery_detail(found, delivery_log.attempts(connection, delivery_id)))


@blueprint.post("/deliveries/<delivery_id>/redeliver")
@needs("hooks:admin")
def redeliver_one(delivery_id: str) -> Response:
    """Send a delivery again."""
    _known(delivery_id)
    raw = no_fields()

    def work(remember: Remember) -> Given:
        body: dict[str, Any] = {}

        def before_commit(connection: Connection, due: DeliveryRecord) -> None:
            body.update(delivery_object(due))
            remember(connection, _ACCEPTED, body, None)

        redeliver(wired().engine, actor(), delivery_id, before_commit)
        wired().ring(DeliverEvents(body["endpoint"]))
        return Given(_ACCEPTED, body, {})

    return once(raw, work)


@blueprint.get("/webhook-secret")
@needs("hooks:admin")
def get_secret() -> Response:
    """Return what signs the webhooks of jobs."""
    query.known()
    found = read_project_secret(wired().engine, wired().settings, actor())
    return answer(secret_object(found))


@blueprint.post("/webhook-secret/rotate")
@needs("hooks:admin")
def rotate_secret() -> Response:
    """Make a new one; the former one signs too for a while."""
    query.known()
    raw, document = optional_json_body()
    overlap_s = loaded(RotationSchema(), document)["overlap_s"]

    def work(remember: Remember) -> Given:
        def before_commit(connection: Connection, made: Secret) -> None:
            remember(connection, _DONE, secret_object(made, shown=False), None)

        made = rotate_project_secret(
            wired().engine, wired().settings, actor(), overlap_s, before_commit
        )
        return Given(_DONE, secret_object(made), {})

    return once(raw, work)


def _known(delivery_id: str) -> None:
    query.known()
    query.require_id(delivery_id, "dlv", "delivery")
