"""The service itself: what it can run, what it is, whether it is well."""

from typing import TYPE_CHECKING, Any

from apwa_client.objects import CapabilityObject, ModelObject

if TYPE_CHECKING:
    from apwa_client.blocking.client import Client


class Service:
    """`client.service`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def capabilities(self) -> list[CapabilityObject]:
        """Return what workers can run."""
        return list(self._client.pages("list_capabilities"))

    def models(self) -> list[ModelObject]:
        """Return the configured model endpoints, without their keys."""
        return list(self._client.pages("list_models"))

    def version(self) -> dict[str, Any]:
        """Return what runs there."""
        found: dict[str, Any] = self._client.request("version")
        return found

    def is_alive(self) -> bool:
        """Tell whether the API answers; raises ApiUnreachable when nothing does."""
        return (self._client.answer("livez")).status == 200

    def ready(self) -> dict[str, Any]:
        """Return the checks of database, schema and broker; ServerError when one fails."""
        found: dict[str, Any] = self._client.request("readyz")
        return found
