"""Takes hold of a receiver of the actor's project, and says no where it is disabled."""

from shared.actions.actor import Actor
from shared.actions.refusals import FieldProblem, NotFound, WrongState
from shared.database import webhook_endpoints
from shared.database.engine import Connection
from shared.database.webhook_endpoints import EndpointRecord


def lock_own_endpoint(tx: Connection, actor: Actor, endpoint_id: str) -> EndpointRecord:
    """Return the endpoint with its row locked; raise NotFound."""
    known = webhook_endpoints.lock(tx, endpoint_id, actor.project_id)
    if known is None:
        raise NotFound("webhook endpoint")
    return known


def require_enabled(endpoint: EndpointRecord) -> None:
    """Raise WrongState for an endpoint nothing is sent to."""
    if endpoint.disabled_at is not None:
        detail = 'The endpoint is disabled; enable it with PATCH {"enabled": true} first.'
        raise WrongState("wrong_state", detail, [FieldProblem("/status", "disabled")])
