"""Make, change, test and remove the receivers of webhooks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.actions.actor import Actor
from shared.actions.job_request import WebhookRequest
from shared.actions.own_webhook import lock_own_endpoint, require_enabled
from shared.actions.refusals import FieldProblem, Invalid
from shared.actions.webhook_address import require_address
from shared.actions.webhook_secrets import ensure_project_secret
from shared.database import (
    audit,
    deliveries,
    projects,
    webhook_batches,
    webhook_endpoints,
)
from shared.database.deliveries import NewDelivery
from shared.database.engine import Connection, Engine, again_if_rolled_back, to_json
from shared.database.webhook_endpoints import EndpointRecord
from shared.domain.ids import new_id
from shared.domain.webhook import BATCHED, PING, event_body
from shared.domain.webhook_signature import new_secret
from shared.secret_box import SecretBox
from shared.settings import Settings

MOST_ENDPOINTS = 100  # of a project, without those of single jobs
BeforeCommit = Callable[[Connection, EndpointRecord], None]


@dataclass(frozen=True, slots=True)
class EndpointChanges:
    """What changes of an endpoint; None stays."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    description: str | None = None
    enabled: bool | None = None


@again_if_rolled_back
def create_endpoint(
    engine: Engine, settings: Settings, actor: Actor, wanted: WebhookRequest, description: str,
    before_commit: BeforeCommit,
) -> tuple[EndpointRecord, str]:  # fmt: skip
    """Store an endpoint and return it with its secret.

    Raises Invalid (`address_not_allowed`, `too_many_endpoints`) and SecretsNotConfigured.
    """
    require_address(settings, wanted.url, "/url")
    secret = new_secret()
    sealed = SecretBox(settings.secret_keys).seal(secret)
    with engine.begin() as tx:
        projects.hold(tx, actor.project_id)  # or two at once would both be the last one
        if webhook_endpoints.count(tx, actor.project_id) >= MOST_ENDPOINTS:
            detail = f"A project has at most {MOST_ENDPOINTS} endpoints; delete one."
            raise Invalid([FieldProblem("", detail)], "too_many_endpoints")
        made = webhook_endpoints.insert(
            tx, new_id("whe"), actor.project_id, wanted.url, wanted.events,
            description=description, secret=sealed,
        )  # fmt: skip
        if set(wanted.events) & set(BATCHED):
            webhook_batches.begin_all(tx, actor.project_id)
        detail_ = {"events": list(wanted.events)}
        audit.append(tx, actor.project_id, actor.name, "webhook_endpoint.create", made.id, detail_)
        before_commit(tx, made)
    return made, secret


def add_of_job(
    tx: Connection, settings: Settings, actor: Actor, job_id: str, wanted: WebhookRequest
) -> dict[str, Any]:
    """Store the endpoint a job brings itself, and return how the job shows it.

    Its address was checked before. Raises SecretsNotConfigured.
    """
    ensure_project_secret(tx, settings, actor.project_id)
    made = webhook_endpoints.insert(
        tx, new_id("whe"), actor.project_id, wanted.url, wanted.events, job_id=job_id
    )
    return {"endpoint": made.id, "events": list(made.events)}


@again_if_rolled_back
def edit_endpoint(
    engine: Engine, settings: Settings, actor: Actor, endpoint_id: str, changes: EndpointChanges
) -> EndpointRecord:
    """Write the changes and return the endpoint; raises NotFound and as `create_endpoint` does.

    Enabling forgets what it failed before; what was skipped meanwhile is sent on request only.
    """
    if changes.url is not None:
        require_address(settings, changes.url, "/url")
    with engine.begin() as tx:
        known = lock_own_endpoint(tx, actor, endpoint_id)
        webhook_endpoints.edit(
            tx, endpoint_id,
            url=known.url if changes.url is None else changes.url,
            events=known.events if changes.events is None else changes.events,
            description=known.description if changes.description is None else changes.description,
        )  # fmt: skip
        if changes.enabled:
            webhook_endpoints.enable(tx, endpoint_id)
        elif changes.enabled is False:
            reason = {"kind": "asked", "detail": f"Disabled by {actor.name}."}
            webhook_endpoints.disable(tx, endpoint_id, reason)
        if known.job_id is None and set(changes.events or ()) & set(BATCHED):
            webhook_batches.begin_all(tx, actor.project_id)
        told = {
            name: list(value) if isinstance(value, tuple) else value
            for name in ("events", "enabled")
            if (value := getattr(changes, name)) is not None
        } | ({"url": "changed"} if changes.url is not None else {})
        audit.append(tx, actor.project_id, actor.name, "webhook_endpoint.edit", endpoint_id, told)
        return lock_own_endpoint(tx, actor, endpoint_id)


@again_if_rolled_back
def delete_endpoint(engine: Engine, actor: Actor, endpoint_id: str) -> None:
    """Remove an endpoint for ever; its log stays for its time. Raises NotFound."""
    with engine.begin() as tx:
        lock_own_endpoint(tx, actor, endpoint_id)
        webhook_endpoints.delete(tx, endpoint_id)
        audit.append(tx, actor.project_id, actor.name, "webhook_endpoint.delete", endpoint_id)


@again_if_rolled_back
def ping_endpoint(
    engine: Engine, actor: Actor, endpoint_id: str,
    before_commit: Callable[[Connection, str], None],
) -> str:  # fmt: skip
    """Make a delivery of type `ping` and return its id. Raises NotFound, WrongState if disabled."""
    with engine.begin() as tx:
        known = lock_own_endpoint(tx, actor, endpoint_id)
        require_enabled(known)
        data = {"endpoint": endpoint_id}
        body = to_json(event_body(PING, webhook_batches.now(tx), data))
        made = NewDelivery(actor.project_id, endpoint_id, new_id("evt"), PING, body)
        delivery_id = deliveries.insert(tx, made)
        audit.append(tx, actor.project_id, actor.name, "webhook_endpoint.test", endpoint_id)
        before_commit(tx, delivery_id)
    return delivery_id
