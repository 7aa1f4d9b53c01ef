"""The service itself: what it can run, what it is, whether it is well."""

from typing import TYPE_CHECKING, Any

from apwa_client.objects import CapabilityObject, ModelObject

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient


class AsyncService:
    """`client.service`."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def capabilities(self) -> list[CapabilityObject]:
        """Return what workers can run."""
        return [item async for item in self._client.pages("list_capabilities")]

    async def models(self) -> list[ModelObject]:
        """Return the configured model endpoints, without their keys."""
        return [item async for item in self._client.pages("list_models")]

    async def version(self) -> dict[str, Any]:
        """Return what runs there."""
        found: dict[str, Any] = await self._client.request("version")
        return found

    async def is_alive(self) -> bool:
        """Tell whether the API answers; raises ApiUnreachable when nothing does."""
        return (await self._client.answer("livez")).status == 200

    async def ready(self) -> dict[str, Any]:
        """Return the checks of database, schema and broker; ServerError when one fails."""
        found: dict[str, Any] = await self._client.request("readyz")
        return found
