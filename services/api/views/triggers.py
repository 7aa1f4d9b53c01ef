"""Triggers, deliveries and simulations as JSON objects; no secret is among them."""

from dataclasses import asdict
from typing import Any

from services.api.answers import moment
from shared.actions.simulate_trigger import Simulated
from shared.database.trigger_deliveries import DeliveryRecord, RawEvent
from shared.database.triggers import TriggerRecord


def trigger_object(trigger: TriggerRecord) -> dict[str, Any]:
    """Return one trigger; `links.hook` is where the sender posts."""
    own, cost = f"/v1/triggers/{trigger.id}", trigger.microusd_per_day
    return {
        "id": trigger.id,
        "name": trigger.name,
        "enabled": trigger.enabled,
        "scheme": trigger.scheme,
        "options": trigger.options,
        "secret": {
            "rotated_at": moment(trigger.rotated_at),
            "former_valid_until": moment(trigger.former_until),
        },
        "when": trigger.conditions,
        "job": trigger.target.get("job"),
        "mapping": trigger.target.get("mapping"),
        "records": trigger.target.get("records"),
        "limits": {
            "jobs_per_hour": trigger.jobs_per_hour,
            "usd_per_day": None if cost is None else cost / 1_000_000,
        },
        "created_at": moment(trigger.created_at),
        "updated_at": moment(trigger.updated_at),
        "links": {
            "self": own,
            "deliveries": f"{own}/deliveries",
            "simulate": f"{own}/simulate",
            "hook": f"/hooks/{trigger.id}",
        },
    }


def delivery_object(delivery: DeliveryRecord) -> dict[str, Any]:
    """Return one delivery without what was posted."""
    return {
        "id": delivery.id,
        "trigger": delivery.trigger_id,
        "sender_id": delivery.sender_id,
        "status": delivery.status,
        "reason": delivery.reason,
        "job": delivery.job_id,
        "records": delivery.records,
        "replay_of": delivery.replay_of,
        "tries": delivery.tries,
        "size_bytes": delivery.size_bytes,
        "received_at": moment(delivery.received_at),
        "settled_at": moment(delivery.settled_at),
        "erased_at": moment(delivery.erased_at),
    }


def posted_object(delivery: DeliveryRecord, event: RawEvent | None) -> dict[str, Any]:
    """Return one delivery with what was posted, as long as it is kept."""
    return {
        **delivery_object(delivery),
        "sender_id": delivery.sender_id if event else None,
        "headers": event.headers if event else None,
        "body": event.body.decode("utf-8", "replace") if event else None,
    }


def simulated_object(made: Simulated) -> dict[str, Any]:
    """Return what would happen."""
    refusal, estimate = made.refusal, made.estimate
    return {
        "verified": made.verified,
        "reason": made.reason,
        "matched": made.matched,
        "ping": made.ping,
        "unmet": [f"/when/{place}" for place in made.unmet],
        "job": made.job,
        "records": made.records,
        "findings": None if estimate is None else [asdict(one) for one in estimate.findings],
        "price": None if estimate is None else estimate.price.to_json(),
        "problem": None
        if refusal is None
        else {
            "code": refusal.code,
            "detail": refusal.detail,
            "errors": [problem.to_json() for problem in refusal.problems],
        },
    }
