"""Triggers: make, list, change, delete, simulate; their deliveries: list, look at, replay."""

import json
from typing import Any

from flask import Blueprint, Response

from services.api import cursors, query, strict_json
from services.api.answers import answer, answer_with_etag
from services.api.auth import actor, needs
from services.api.bodies import json_body, no_fields
from services.api.idempotency import Given, Remember, once
from services.api.problems import invalid, not_found
from services.api.schemas.strict import loaded
from services.api.schemas.triggers import SimulationSchema
from services.api.strict_json import NotJson
from services.api.trigger_body import (
    changed,
    changed_target,
    load_changes,
    overlap_of,
    read_trigger,
)
from services.api.views.triggers import (
    delivery_object,
    posted_object,
    simulated_object,
    trigger_object,
)
from services.api.wired import wired
from shared.actions.replay_delivery import replay_delivery
from shared.actions.simulate_trigger import simulate_trigger
from shared.actions.triggers import create_trigger, delete_trigger, edit_trigger
from shared.database import trigger_deliveries, triggers
from shared.database.engine import Connection
from shared.database.trigger_deliveries import STATUSES, DeliveryRecord
from shared.database.triggers import TriggerRecord
from shared.secret_box import SecretBox

blueprint = Blueprint("triggers", __name__, url_prefix="/v1/triggers")

SCOPE = "hooks:admin"
_CREATED, _ACCEPTED = 201, 202


@blueprint.post("")
@needs(SCOPE)
def create() -> Response:
    """Make a trigger."""
    query.known()
    raw, document = json_body()
    return once(raw, lambda remember: _create(document, remember))


def _create(document: Any, remember: Remember) -> Given:
    facts, secret = read_trigger(document)
    body: dict[str, Any] = {}

    def before_commit(connection: Connection, made: TriggerRecord) -> None:
        body.update(trigger_object(made))
        remember(connection, _CREATED, body, body["links"]["self"])

    create_trigger(wired().engine, _box(), actor(), facts, secret, before_commit)
    return Given(_CREATED, body, {"Location": body["links"]["self"]})


@blueprint.get("")
@needs(SCOPE)
def list_triggers() -> Response:
    """List the project's triggers, newest first."""
    given = query.known("limit", "cursor")
    limit, scope, before = query.limit(given), f"{actor().project_id} triggers", None
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], str)
    with wired().engine.connect() as connection:
        page = triggers.page(connection, actor().project_id, before=before, limit=limit + 1)
    items = [trigger_object(one) for one in page[:limit]]
    return _page(scope, items, more=len(page) > limit)


@blueprint.get("/<trigger_id>")
@needs(SCOPE)
def get(trigger_id: str) -> Response:
    """Return one trigger."""
    query.known()
    return answer_with_etag(trigger_object(_find(trigger_id)))


@blueprint.patch("/<trigger_id>")
@needs(SCOPE)
def edit(trigger_id: str) -> Response:
    """Change a trigger; members that are not named stay."""
    query.known()
    query.require_id(trigger_id, "trg", "trigger")
    _, document = json_body()
    given = load_changes(document)
    overlap_s, target = overlap_of(given), changed_target(_find(trigger_id), given)
    edited = edit_trigger(
        wired().engine, _box(), actor(), trigger_id, lambda known: changed(known, given, target),
        given.get("secret"), overlap_s,
    )  # fmt: skip
    return answer(trigger_object(edited))


@blueprint.delete("/<trigger_id>")
@needs(SCOPE)
def delete(trigger_id: str) -> Response:
    """Delete a trigger and what was posted to it; its jobs stay."""
    query.known()
    query.require_id(trigger_id, "trg", "trigger")
    delete_trigger(wired().engine, actor(), trigger_id)
    return Response(status=204)


@blueprint.post("/<trigger_id>/simulate")
@needs(SCOPE)
def simulate(trigger_id: str) -> Response:
    """Say what would come of a delivery; stores nothing."""
    query.known()
    trigger = _find(trigger_id)
    _, document = json_body()
    headers, body, payload = _posted(document)
    made = simulate_trigger(
        wired().engine, wired().settings, actor(), trigger, headers, body, payload
    )
    return answer(simulated_object(made))


def _posted(document: Any) -> tuple[dict[str, str], bytes, Any]:
    """Return headers by lower-case name, the raw body and its JSON value."""
    data = loaded(SimulationSchema(), document)
    headers = {name.lower(): value for name, value in data["headers"].items()}
    if "payload" in data:
        text = json.dumps(data["payload"], separators=(",", ":"), ensure_ascii=False)
        return headers, text.encode("utf-8", "surrogatepass"), data["payload"]
    body = data["body"].encode("utf-8", "surrogatepass")
    try:
        return headers, body, strict_json.parse(body)
    except NotJson as error:
        raise invalid("/body", str(error)) from error


@blueprint.get("/<trigger_id>/deliveries")
@needs(SCOPE)
def list_deliveries(trigger_id: str) -> Response:
    """List what was posted to a trigger, newest first."""
    given = query.known("status", "limit", "cursor")
    limit, status = query.limit(given), query.choice(given, "status", STATUSES)
    trigger = _find(trigger_id)
    scope, before = f"{trigger.id} deliveries {status}", None
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], str)
    with wired().engine.connect() as connection:
        page = trigger_deliveries.page(
            connection, trigger.id, status=status, before=before, limit=limit + 1
        )
    return _page(scope, [delivery_object(one) for one in page[:limit]], more=len(page) > limit)


@blueprint.get("/<trigger_id>/deliveries/<delivery_id>")
@needs(SCOPE)
def get_delivery(trigger_id: str, delivery_id: str) -> Response:
    """Return one delivery with what was posted."""
    query.known()
    trigger = _find(trigger_id)
    query.require_id(delivery_id, "dlv", "delivery")
    with wired().engine.connect() as connection:
        found = trigger_deliveries.find(connection, trigger.id, delivery_id)
        if found is None:
            raise not_found("delivery")
        event = trigger_deliveries.event_of(connection, found.id)
    return answer(posted_object(found, event))


@blueprint.post("/<trigger_id>/deliveries/<delivery_id>/replay")
@needs(SCOPE)
def replay(trigger_id: str, delivery_id: str) -> Response:
    """Work a delivery once more, whatever the limits say."""
    query.known()
    query.require_id(trigger_id, "trg", "trigger")
    query.require_id(delivery_id, "dlv", "delivery")
    return once(no_fields(), lambda remember: _replay(trigger_id, delivery_id, remember))


def _replay(trigger_id: str, delivery_id: str, remember: Remember) -> Given:
    body: dict[str, Any] = {}

    def before_commit(connection: Connection, delivery: DeliveryRecord) -> None:
        body.update({**delivery_object(delivery), "sender_id": None})
        remember(connection, _ACCEPTED, body, None)
        body["sender_id"] = delivery.sender_id

    replay_delivery(wired().engine, actor(), trigger_id, delivery_id, before_commit)
    return Given(_ACCEPTED, body, {})


def _find(trigger_id: str) -> TriggerRecord:
    query.require_id(trigger_id, "trg", "trigger")
    with wired().engine.connect() as connection:
        found = triggers.find(connection, trigger_id, actor().project_id)
    if found is None:
        raise not_found("trigger")
    return found


def _page(scope: str, items: list[dict[str, Any]], *, more: bool) -> Response:
    cursor = cursors.write(scope, [items[-1]["id"]]) if more else None
    return answer({"items": items, "next_cursor": cursor})


def _box() -> SecretBox:
    return SecretBox(wired().settings.secret_keys)
