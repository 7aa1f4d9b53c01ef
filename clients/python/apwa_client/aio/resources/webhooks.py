"""Webhooks out: receivers, the log of deliveries, the secrets."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apwa_client.objects import DeliveryObject, EndpointObject, SecretObject
from apwa_client.rows import json_ready

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient


class AsyncWebhookEndpoints:
    """`client.webhook_endpoints`."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def create(
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
        made: EndpointObject = await self._client.request(
            "create_webhook_endpoint", body=body, idempotency_key=idempotency_key
        )
        return made

    async def get(self, endpoint_id: str) -> EndpointObject:
        """Return one receiver."""
        found: EndpointObject = await self._client.request(
            "get_webhook_endpoint", endpoint_id=endpoint_id
        )
        return found

    async def list(self) -> AsyncIterator[EndpointObject]:
        """Yield receivers, newest first."""
        async for endpoint in self._client.pages("list_webhook_endpoints"):
            yield endpoint

    async def edit(self, endpoint_id: str, **changes: Any) -> EndpointObject:
        """Change `url`, `events`, `description` or `enabled`."""
        made: EndpointObject = await self._client.request(
            "edit_webhook_endpoint", endpoint_id=endpoint_id, body=changes
        )
        return made

    async def delete(self, endpoint_id: str) -> None:
        """Remove a receiver; what waits for it is cancelled."""
        await self._client.request("delete_webhook_endpoint", endpoint_id=endpoint_id)

    async def secret(self, endpoint_id: str) -> SecretObject:
        """Return what its webhooks are signed with."""
        found: SecretObject = await self._client.request(
            "get_webhook_endpoint_secret", endpoint_id=endpoint_id
        )
        return found

    async def rotate_secret(
        self, endpoint_id: str, *, overlap_s: int | None = None
    ) -> SecretObject:
        """Make a new secret; the former one signs too for `overlap_s`."""
        made: SecretObject = await self._client.request(
            "rotate_webhook_endpoint_secret", endpoint_id=endpoint_id, body=_overlap(overlap_s)
        )
        return made

    async def test(self, endpoint_id: str) -> DeliveryObject:
        """Send a ping."""
        made: DeliveryObject = await self._client.request(
            "test_webhook_endpoint", endpoint_id=endpoint_id
        )
        return made

    async def redeliver(
        self,
        endpoint_id: str,
        *,
        since: datetime | str,
        until: datetime | str | None = None,
        status: str = "failed",
    ) -> int:
        """Send the deliveries of a span of time again and return how many."""
        body = {"since": json_ready(since), "until": json_ready(until), "status": status}
        made = await self._client.request("redeliver_range", endpoint_id=endpoint_id, body=body)
        return int(made["redelivered"])

    async def project_secret(self) -> SecretObject:
        """Return what signs the webhooks that jobs bring themselves."""
        found: SecretObject = await self._client.request("get_webhook_secret")
        return found

    async def rotate_project_secret(self, *, overlap_s: int | None = None) -> SecretObject:
        """Make a new one; the former one signs too for `overlap_s`."""
        made: SecretObject = await self._client.request(
            "rotate_webhook_secret", body=_overlap(overlap_s)
        )
        return made


class AsyncDeliveries:
    """`client.deliveries`."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def list(self, **filters: Any) -> AsyncIterator[DeliveryObject]:
        """Yield deliveries, newest first; filters: endpoint, status, job."""
        async for delivery in self._client.pages("list_deliveries", **filters):
            yield delivery

    async def get(self, delivery_id: str) -> DeliveryObject:
        """Return one delivery with what was sent and answered."""
        found: DeliveryObject = await self._client.request("get_delivery", delivery_id=delivery_id)
        return found

    async def redeliver(self, delivery_id: str) -> DeliveryObject:
        """Send it again, under the id it had."""
        made: DeliveryObject = await self._client.request("redeliver", delivery_id=delivery_id)
        return made


def _overlap(overlap_s: int | None) -> dict[str, int]:
    return {} if overlap_s is None else {"overlap_s": overlap_s}
