"""What this deployment can do."""

from flask import Blueprint, Response

from services.api import query
from services.api.answers import answer
from services.api.auth import needs
from services.api.wired import wired
from shared.database import capabilities

blueprint = Blueprint("meta", __name__, url_prefix="/v1")


@blueprint.get("/capabilities")
@needs(None)
def list_capabilities() -> Response:
    """List the capabilities that workers have reported, by name."""
    query.known()
    with wired().engine.connect() as connection:
        return answer({"items": capabilities.manifests(connection), "next_cursor": None})
