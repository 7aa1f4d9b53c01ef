"""The door senders post to: no key, a signature instead; answered as soon as it is stored."""

from flask import Blueprint, Response, request

from services.api import query, strict_json
from services.api.answers import answer
from services.api.bodies import read_whole, require_identity_coding
from services.api.problems import Problem
from services.api.wired import wired
from shared.actions.receive_hook import HookRefused, find_hook, receive_hook
from shared.secret_box import SecretBox

blueprint = Blueprint("hooks", __name__, url_prefix="/hooks")

_ACCEPTED = 202


@blueprint.post("/<trigger_id>")
def receive(trigger_id: str) -> Response:
    """Take a delivery in: 202 when a job will come of it, 200 when it is ignored or known."""
    query.require_id(trigger_id, "trg", "trigger")
    settings, engine = wired().settings, wired().engine
    with engine.connect() as connection:
        trigger = find_hook(connection, trigger_id)
    require_identity_coding()
    body = read_whole(settings.hook_max_bytes)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        stored = receive_hook(
            engine, SecretBox(settings.secret_keys), trigger, headers, body, strict_json.parse
        )
    except HookRefused as refused:
        raise Problem(
            401, refused.code, refused.detail, headers={"WWW-Authenticate": "Webhook-Signature"}
        ) from refused
    told = {"id": stored.delivery_id, "status": stored.status, "duplicate": stored.duplicate}
    new = not stored.duplicate and stored.status == "pending"
    return answer(told, _ACCEPTED if new else 200)
