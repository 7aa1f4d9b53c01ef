"""Endpoints, deliveries and secrets of webhooks as the JSON objects of the interface."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.api.answers import moment
from shared.actions.webhook_secrets import Secret
from shared.database.delivery_log import DeliveryRecord
from shared.database.webhook_endpoints import EndpointRecord


def endpoint_object(endpoint: EndpointRecord) -> dict[str, Any]:
    """Return an endpoint without its secret; `job` is set for one that a job brought."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "description": endpoint.description,
        "job": endpoint.job_id,
        "status": "enabled" if endpoint.disabled_at is None else "disabled",
        "status_reason": endpoint.disabled_reason,
        "disabled_at": moment(endpoint.disabled_at),
        "failing_since": moment(endpoint.failing_since),
        "former_secret_until": moment(endpoint.former_until),
        "created_at": moment(endpoint.created_at),
    }


def delivery_object(delivery: DeliveryRecord) -> dict[str, Any]:
    """Return how a delivery stands, without what was sent."""
    return {
        "id": delivery.id,
        "endpoint": delivery.endpoint_id,
        "job": delivery.job_id,
        "webhook_id": delivery.event_id,
        "type": delivery.type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "response_status": delivery.response_status,
        "error": delivery.error,
        "next_attempt_at": moment(delivery.next_at),
        "created_at": moment(delivery.created_at),
        "finished_at": moment(delivery.finished_at),
    }


def delivery_detail(
    delivery: DeliveryRecord, attempts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a delivery with its body and every try; null where a deleted job erased it."""
    return {
        **delivery_object(delivery),
        "body": delivery.body,
        "tries": [_attempt(one) for one in attempts],
    }


def secret_object(made: Secret, *, shown: bool = True) -> dict[str, Any]:
    """Return a secret; without `shown` what may be stored with an idempotency key."""
    return {
        "secret": made.secret if shown else None,
        "former_secret_until": moment(made.former_until),
        "rotated_at": moment(made.rotated_at),
    }


def _attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    request, response = row["request"], row["response"]
    return {
        "number": row["number"],
        "started_at": moment(row["started_at"]),
        "duration_ms": row["duration_ms"],
        "request": request,
        "response": None
        if row["response_status"] is None
        else {
            "status": row["response_status"],
            "headers": (response or {}).get("headers"),
            "body": (response or {}).get("body"),
            "truncated": (response or {}).get("truncated", False),
        },
        "error": row["error"],
    }
