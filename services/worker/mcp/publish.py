"""Connects the worker's MCP servers and writes down what they offer, for api and planner."""

import asyncio
import logging
from typing import TYPE_CHECKING

from services.worker.mcp.servers import McpServers
from shared.capabilities.mcp_servers import McpServer
from shared.database import mcp_tools
from shared.database.engine import Connection, Engine, SQLAlchemyError, retrying
from shared.database.mcp_tools import McpTool
from shared.log import get_logger

if TYPE_CHECKING:
    from services.worker.mcp.offered import Listing

WRITE_S = 30.0


def connect_servers(engine: Engine, loop: asyncio.AbstractEventLoop, servers: McpServers) -> None:
    """Forget servers that are no longer configured and open the others, without waiting."""
    # the packages' own logs quote requests and answers
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    names = list(servers.configured)
    retrying(engine, lambda tx: mcp_tools.keep_servers(tx, names), for_s=WRITE_S)

    async def listed(server: McpServer, listing: "Listing") -> None:
        await loop.run_in_executor(None, _publish, engine, server, listing)

    loop.call_soon_threadsafe(servers.connect, listed)


def _publish(engine: Engine, server: McpServer, listing: "Listing") -> None:
    found = [
        McpTool(one.name, server.name, one.tool, one.description, one.read_only)
        for one in listing.tools.values()
    ]

    def write(tx: Connection) -> None:
        mcp_tools.publish(tx, server.name, found)

    try:
        retrying(engine, write, for_s=WRITE_S)
    except SQLAlchemyError as error:  # the connection is good all the same
        get_logger().warning(
            "mcp_tools_not_written", server=server.name, error=type(error).__name__
        )
