"""What this deployment can do, and by which models."""

from flask import Blueprint, Response

from services.api import query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.views.service import model_object
from services.api.wired import wired
from shared.database import capabilities, endpoint_abilities
from shared.llm.endpoints import endpoints_of

blueprint = Blueprint("meta", __name__, url_prefix="/v1")


@blueprint.get("/capabilities")
@needs(None)
def list_capabilities() -> Response:
    """List the capabilities that workers have reported, by name."""
    query.known()
    with wired().engine.connect() as connection:
        return answer({"items": capabilities.manifests(connection), "next_cursor": None})


@blueprint.get("/models")
@needs(None)
def list_models() -> Response:
    """List the configured endpoints; never their keys."""
    query.known()
    endpoints, shown = endpoints_of(wired().settings), actor().may("admin")
    found = list(endpoints)
    states = wired().endpoint_states.of([f"{one.address_hash}/{one.model}" for one in found])
    items = []
    with wired().engine.connect() as connection:
        for endpoint, state in zip(found, states, strict=True):
            abilities = endpoint_abilities.find(
                connection, endpoint.name, endpoint.address_hash, endpoint.model
            )
            items.append(
                model_object(endpoint, endpoints, abilities, state, with_address=shown)
            )  # fmt: skip
    return answer({"items": items, "next_cursor": None})
