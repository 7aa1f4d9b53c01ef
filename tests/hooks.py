"""Made-up senders of webhooks: what they post, signed as they would."""

import json
import time
import uuid
from typing import Any

from shared.domain.hook_scheme import scheme_of, sign

SECRET = "a secret the sender knows too"
REPOSITORY = {"id": 42, "full_name": "ann/kettle", "private": False}
ISSUE: dict[str, Any] = {
    "number": 7,
    "title": "It whistles before the water boils",
    "body": "Since the last release. Write to ann@example.com.",
    "user": {"login": "ann", "id": 5},
    "labels": [],
}


def github_issue(**changes: Any) -> dict[str, Any]:
    """Return the payload of an `issues` event, in the form GitHub sends."""
    return {
        "action": "opened",
        "issue": {**ISSUE, **changes},
        "repository": REPOSITORY,
        "sender": {"login": "ann", "id": 5},
    }


def stripe_event(number: int, amount: int) -> dict[str, Any]:
    """Return an event in the form Stripe sends."""
    return {
        "id": f"evt_{number}",
        "object": "event",
        "api_version": "2024-06-20",
        "type": "charge.dispute.created",
        "data": {
            "object": {
                "id": f"dp_{number}",
                "amount": amount,
                "reason": "general",
                "evidence": {"customer_communication": f"Mail me at buyer{number}@example.com"},
            }
        },
    }


def posted(
    scheme: str, payload: Any, *, secret: str = SECRET, id_: str | None = None,
    options: dict[str, Any] | None = None, now: int | None = None, event: str = "issues",
) -> tuple[bytes, dict[str, str]]:  # fmt: skip
    """Return body and headers of a delivery as the sender of this scheme would post it."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    at = int(time.time()) if now is None else now
    headers = sign(scheme_of(scheme, options or {}), secret, body, at, id_ or str(uuid.uuid4()))
    more = {"x-github-event": event} if scheme == "github" else {}
    return body, {"content-type": "application/json", **headers, **more}
