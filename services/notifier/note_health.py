"""Keeps account of how an endpoint fares, and disables one that is past saving, with a notice."""

from shared.database import audit, webhook_batches, webhook_endpoints, webhook_events
from shared.database.deliveries import Claimed
from shared.database.engine import Connection
from shared.domain.ids import new_id
from shared.domain.webhook import ENDPOINT_DISABLED, PING
from shared.log import get_logger
from shared.settings import Settings

ACTOR = "notifier"
DAY_S = 86_400.0


def note_health(tx: Connection, settings: Settings, delivery: Claimed, status: str) -> None:
    """Write down a success or failure; pings are not counted."""
    if delivery.type == PING and status != "succeeded":
        return
    if status == "succeeded":
        webhook_endpoints.note_success(tx, delivery.endpoint_id)
        return
    hopeless = webhook_endpoints.note_failure(
        tx, delivery.endpoint_id, given_up=status == "failed",
        disable_after_s=settings.webhook_disable_days * DAY_S,
    )  # fmt: skip
    if hopeless:
        detail = (
            f"Several events were given up and nothing succeeded for "
            f"{settings.webhook_disable_days:g} days."
        )
        disable_endpoint(tx, delivery, "failing", detail)


def disable_endpoint(tx: Connection, delivery: Claimed, kind: str, detail: str) -> None:
    """Send it nothing more; told in the audit log, the log, and to the project's other endpoints.

    Harmless when repeated.
    """
    reason = {"kind": kind, "detail": detail}
    disabled = webhook_endpoints.disable(tx, delivery.endpoint_id, reason)
    if disabled is None:
        return
    audit.append(
        tx, delivery.project_id, ACTOR, "webhook_endpoint.disable", delivery.endpoint_id, reason
    )
    data = {"endpoint": delivery.endpoint_id, "job": disabled.job_id, "reason": reason}
    webhook_events.announce_of_project(
        tx, delivery.project_id, ENDPOINT_DISABLED, new_id("evt"), webhook_batches.now(tx), data
    )
    get_logger(endpoint_id=delivery.endpoint_id).warning(
        "webhook_endpoint_disabled", kind=kind, detail=detail
    )
