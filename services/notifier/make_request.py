"""Turns a leased delivery into the request that is sent: signed, small, to one address."""

from shared.database.deliveries import Claimed
from shared.domain.webhook_signature import signatures
from shared.net.web_request import WebRequest
from shared.secret_box import SecretBox

KEPT_BYTES = 4_096  # of an answer's body


def make_request(delivery: Claimed, url: str, box: SecretBox, wall_s: float) -> WebRequest:
    """Return the request. Raises SecretsNotConfigured and SecretUnreadable.

    The timestamp is of this try, by the database's clock: receivers refuse what is old.
    """
    body = delivery.body.encode()
    timestamp_s = int(delivery.now.timestamp())
    secrets = [box.open(sealed) for sealed in delivery.sealed]
    headers = {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signatures(secrets, delivery.event_id, timestamp_s, body),
    }
    if delivery.request_id is not None:
        headers["X-Request-Id"] = delivery.request_id
    if delivery.traceparent is not None:
        headers["traceparent"] = delivery.traceparent
    return WebRequest(
        url,
        method="POST",
        headers=headers,
        body=body,
        wall_s=wall_s,
        most_bytes=KEPT_BYTES,
        cut=True,
    )
