"""Triggers: senders whose posts make jobs or feed streams."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from apwa_client.objects import TriggerDeliveryObject, TriggerObject

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient


class AsyncTriggers:
    """`client.triggers`."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def create(
        self,
        name: str,
        *,
        scheme: str,
        secret: str,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> TriggerObject:
        """Make a trigger; options: when, job, mapping, records, limits, options, enabled.

        The sender posts to its `links.hook`.
        """
        made: TriggerObject = await self._client.request(
            "create_trigger",
            body={"name": name, "scheme": scheme, "secret": secret, **options},
            idempotency_key=idempotency_key,
        )
        return made

    async def get(self, trigger_id: str) -> TriggerObject:
        """Return one trigger."""
        found: TriggerObject = await self._client.request("get_trigger", trigger_id=trigger_id)
        return found

    async def list(self) -> AsyncIterator[TriggerObject]:
        """Yield triggers, newest first."""
        async for trigger in self._client.pages("list_triggers"):
            yield trigger

    async def edit(self, trigger_id: str, **changes: Any) -> TriggerObject:
        """Change a trigger; what is not named stays."""
        made: TriggerObject = await self._client.request(
            "edit_trigger", trigger_id=trigger_id, body=changes
        )
        return made

    async def delete(self, trigger_id: str) -> None:
        """Delete a trigger with all that was posted to it; its jobs stay."""
        await self._client.request("delete_trigger", trigger_id=trigger_id)

    async def simulate(
        self,
        trigger_id: str,
        *,
        headers: Mapping[str, str] | None = None,
        **posted: Any,
    ) -> dict[str, Any]:
        """Return what a delivery would do, of a `payload` or of the exact text of a `body`."""
        found: dict[str, Any] = await self._client.request(
            "simulate_trigger", trigger_id=trigger_id, body={"headers": headers or {}, **posted}
        )
        return found

    async def deliveries(
        self, trigger_id: str, *, status: str | None = None
    ) -> AsyncIterator[TriggerDeliveryObject]:
        """Yield what was posted, newest first."""
        pages = self._client.pages("list_trigger_deliveries", trigger_id=trigger_id, status=status)
        async for delivery in pages:
            yield delivery

    async def delivery(self, trigger_id: str, delivery_id: str) -> TriggerDeliveryObject:
        """Return one delivery with headers and body as they were posted."""
        found: TriggerDeliveryObject = await self._client.request(
            "get_trigger_delivery", trigger_id=trigger_id, delivery_id=delivery_id
        )
        return found

    async def replay(self, trigger_id: str, delivery_id: str) -> TriggerDeliveryObject:
        """Work a delivery again, a held one too."""
        made: TriggerDeliveryObject = await self._client.request(
            "replay_trigger_delivery", trigger_id=trigger_id, delivery_id=delivery_id
        )
        return made

    async def send(
        self, trigger_id: str, body: bytes, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """Post to a trigger as its sender does: the raw body, and headers that sign it."""
        answer = await self._client.answer(
            "receive_hook",
            trigger_id=trigger_id,
            body=body,
            headers={"Content-Type": "application/json", **headers},
        )
        receipt: dict[str, Any] = answer.json()
        return receipt
