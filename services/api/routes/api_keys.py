"""API keys: make, list, rotate, revoke."""

from typing import Any

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.bodies import json_body, optional_json_body
from services.api.idempotency import Given, Remember, once
from services.api.operator import project_asked, require_project
from services.api.problems import not_found
from services.api.schemas.service import KeyRequestSchema, KeyRotationSchema
from services.api.schemas.strict import loaded
from services.api.views.service import key_object
from services.api.wired import wired
from shared.actions.actor import ROLES, SYSTEM
from shared.actions.keys import create_key, require_grantable, revoke_own_key, rotate_own_key
from shared.database import keys
from shared.database.engine import Connection
from shared.database.keys import KeyRecord

blueprint = Blueprint("api_keys", __name__, url_prefix="/v1/api-keys")

_CREATED, _DONE, _GONE = 201, 200, 204


@blueprint.post("")
@needs("admin")
def create() -> Response:
    """Make a key; its secret is in the answer and nowhere else."""
    query.known()
    raw, document = json_body()
    data = loaded(KeyRequestSchema(), document)
    return once(raw, lambda remember: _create(data, remember), sealed="secret")


def _create(data: dict[str, Any], remember: Remember) -> Given:
    scopes = tuple(data["scopes"]) if "scopes" in data else ROLES[data["role"]]
    require_grantable(actor(), scopes)
    with wired().engine.begin() as tx:
        project_id = require_project(tx, data["project"], "/project")
        key_id, secret = create_key(
            tx, project_id, data["name"], scopes, data["expires_at"],
            requests_per_minute=data["requests_per_minute"], actor=actor().name,
        )  # fmt: skip
        made = keys.find(tx, key_id, project_id)
        if made is None:
            raise LookupError("the key that was just made is not there")
        body = {**key_object(made), "secret": secret}
        remember(tx, _CREATED, body, body["links"]["self"])
    return Given(_CREATED, body, {"Location": body["links"]["self"]})


@blueprint.get("")
@needs("admin")
def list_keys() -> Response:
    """List the project's keys, newest first; those that ended too."""
    given = query.known("limit", "cursor", "project")
    limit, before = query.limit(given), None
    project_id = project_asked(given) or actor().project_id
    scope = f"{project_id} api-keys"
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], str)
    with wired().engine.connect() as connection:
        page = keys.page(connection, project_id, before=before, limit=limit + 1)
    more = len(page) > limit
    cursor = cursors.write(scope, [page[limit - 1].id]) if more else None
    return answer({"items": [key_object(key) for key in page[:limit]], "next_cursor": cursor})


@blueprint.get("/<key_id>")
@needs("admin")
def get(key_id: str) -> Response:
    """Return one key."""
    _known(key_id)
    with wired().engine.connect() as connection:
        found = keys.find(connection, key_id, None if actor().may(SYSTEM) else actor().project_id)
    if found is None:
        raise not_found("key")
    return answer(key_object(found))


@blueprint.delete("/<key_id>")
@needs("admin")
def revoke(key_id: str) -> Response:
    """End a key at once."""
    _known(key_id)
    revoke_own_key(wired().engine, actor(), key_id)
    return Response(status=_GONE)


@blueprint.post("/<key_id>/rotate")
@needs("admin")
def rotate(key_id: str) -> Response:
    """Make a new secret; the former one opens too for a while."""
    _known(key_id)
    raw, document = optional_json_body()
    overlap_s = loaded(KeyRotationSchema(), document)["overlap_s"]

    def work(remember: Remember) -> Given:
        def before_commit(connection: Connection, key: KeyRecord, secret: str) -> None:
            remember(connection, _DONE, {**key_object(key), "secret": secret}, None)

        key, secret = rotate_own_key(wired().engine, actor(), key_id, overlap_s, before_commit)
        return Given(_DONE, {**key_object(key), "secret": secret}, {})

    return once(raw, work, sealed="secret")


def _known(key_id: str) -> None:
    query.known()
    query.require_id(key_id, "key", "key")
