"""Webhooks out: receivers, the log of deliveries, the secrets."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apwa_client.objects import DeliveryObject, EndpointObject, SecretObject
from apwa_client.rows import json_ready

if TYPE_CHECKING:
    from apwa_client.blocking.client import Client


class WebhookEndpoints:
    """`client.webhook_endpoints`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        description: str = "",
        idempotency_key: str | None = None,
    ) -> EndpointObject:
        """Add a receiver of the project's events, all of them when silent; it has the secret."""
        body: dict[str, Any] = {"url": url, "description": description}
        if events is not None:
            body["events"] = list(events)
        made: EndpointObject = self._client.request(
            "create_webhook_endpoint", body=body, idempotency_key=idempotency_key
        )
        return made

    def get(self, endpoint_id: str) -> EndpointObject:
        """Return one receiver."""
        found: EndpointObject = self._client.request(
            "get_webhook_endpoint", endpoint_id=endpoint_id
        )
        return found

    def list(self) -> Iterator[EndpointObject]:
        """Yield receivers, newest first."""
        yield from self._client.pages("list_webhook_endpoints")

    def edit(self, endpoint_id: str, **changes: Any) -> EndpointObject:
        """Change `url`, `events`, `description` or `enabled`."""
        made: EndpointObject = self._client.request(
            "edit_webhook_endpoint", endpoint_id=endpoint_id, body=changes
        )
        return made

    def delete(self, endpoint_id: str) -> None:
        """Remove a receiver; what waits for it is cancelled."""
        self._client.request("delete_webhook_endpoint", endpoint_id=endpoint_id)

    def secret(self, endpoint_id: str) -> SecretObject:
        """Return what its webhooks are signed with."""
        found: SecretObject = self._client.request(
            "get_webhook_endpoint_secret", endpoint_id=endpoint_id
        )
        return found

    def rotate_secret(self, endpoint_id: str, *, overlap_s: int | None = None) -> SecretObject:
        """Make a new secret; the former one signs too for `overlap_s`."""
        made: SecretObject = self._client.request(
            "rotate_webhook_endpoint_secret", endpoint_id=endpoint_id, body=_overlap(overlap_s)
        )
        return made

    def test(self, endpoint_id: str) -> DeliveryObject:
        """Send a ping."""
        made: DeliveryObject = self._client.request(
            "test_webhook_endpoint", endpoint_id=endpoint_id
        )
        return made

    def redeliver(
        self,
        endpoint_id: str,
        *,
        since: datetime | str,
        until: datetime | str | None = None,
        status: str = "failed",
    ) -> int:
        """Send the deliveries of a span of time again and return how many."""
        body = {"since": json_ready(since), "until": json_ready(until), "status": status}
        made = self._client.request("redeliver_range", endpoint_id=endpoint_id, body=body)
        return int(made["redelivered"])

    def project_secret(self) -> SecretObject:
        """Return what signs the webhooks that jobs bring themselves."""
        found: SecretObject = self._client.request("get_webhook_secret")
        return found

    def rotate_project_secret(self, *, overlap_s: int | None = None) -> SecretObject:
        """Make a new one; the former one signs too for `overlap_s`."""
        made: SecretObject = self._client.request("rotate_webhook_secret", body=_overlap(overlap_s))
        return made


class Deliveries:
    """`client.deliveries`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def list(self, **filters: Any) -> Iterator[DeliveryObject]:
        """Yield deliveries, newest first; filters: endpoint, status, job."""
        yield from self._client.pages("list_deliveries", **filters)

    def get(self, delivery_id: str) -> DeliveryObject:
        """Return one delivery with what was sent and answered."""
        found: DeliveryObject = self._client.request("get_delivery", delivery_id=delivery_id)
        return found

    def redeliver(self, delivery_id: str) -> DeliveryObject:
        """Send it again, under the id it had."""
        made: DeliveryObject = self._client.request("redeliver", delivery_id=delivery_id)
        return made


def _overlap(overlap_s: int | None) -> dict[str, int]:
    return {} if overlap_s is None else {"overlap_s": overlap_s}
