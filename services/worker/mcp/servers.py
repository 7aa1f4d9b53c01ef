"""All configured servers of this process, connected at the worker's start or at first use."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from shared.capabilities.mcp_servers import McpServer, mcp_servers_of
from shared.settings import load_settings

if TYPE_CHECKING:
    from services.worker.mcp.connection import McpConnection
    from services.worker.mcp.offered import Listing

Listed = Callable[[McpServer, "Listing"], Awaitable[None]]


class McpServers:
    """Connections by server; one event loop owns them all."""

    def __init__(self, configured: Mapping[str, McpServer]) -> None:
        self.configured = configured
        self._connections: dict[str, McpConnection] = {}

    def connection(self, server: str, listed: Listed | None = None) -> "McpConnection | None":
        """Return the connection of a server, opened if need be; None when it is not configured.

        To be called on the loop that owns the connections.
        """
        if server not in self.configured:
            return None
        if server not in self._connections:
            # imported here: the package takes a second, which only those pay who use it
            module = importlib.import_module("services.worker.mcp.connection")
            found = module.McpConnection(self.configured[server], listed or _nobody)
            self._connections[server] = found
        return self._connections[server]

    def connect(self, listed: Listed) -> None:
        """Open every server, on the loop that is to own them; `listed` hears what each offers."""
        for server in self.configured:
            self.connection(server, listed)

    async def close(self) -> None:
        """End all connections, and the child processes behind them."""
        ending = [one.close() for one in self._connections.values()]
        self._connections = {}
        await asyncio.gather(*ending, return_exceptions=True)


@cache
def mcp_servers() -> McpServers:
    """Return the servers of this process's settings."""
    return McpServers(mcp_servers_of(load_settings(stores=False)))


async def _nobody(_server: McpServer, _listing: "Listing") -> None:
    """Hear of a listing, for those whom nobody asked."""
