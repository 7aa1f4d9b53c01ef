"""Tools of MCP servers for one agent: what is known of them, and how they are called."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from services.worker.capabilities.agent_tool import Tool, ToolError, ToolUnavailable
from services.worker.mcp.answers import answer_value, error_text
from services.worker.mcp.servers import McpServers, mcp_servers
from shared.domain.mcp_tool import is_mcp_tool, server_of

if TYPE_CHECKING:
    from services.worker.mcp.connection import McpConnection
    from services.worker.mcp.offered import OfferedTool

META_KEY = "apwa/idempotency-key"
_SHOWN = 500  # characters of an error
_ANY_OBJECT: dict[str, Any] = {"type": "object"}


async def mcp_tools(
    names: Sequence[str], idempotency_key: str, servers: McpServers | None = None
) -> dict[str, Tool]:
    """Return those of the named tools that are tools of MCP servers.

    A server that does not answer leaves its tools as names: their calls fail, and the model is
    told. Raises ToolUnavailable for a server this worker does not have, or a tool it lacks.
    """
    found = {}
    for name in names:
        if is_mcp_tool(name):
            found[name] = await _tool(name, servers or mcp_servers(), _Keys(idempotency_key))
    return found


async def _tool(name: str, servers: McpServers, keys: "_Keys") -> Tool:
    connection = servers.connection(server_of(name))
    if connection is None:
        raise ToolUnavailable(f"`{name}`: this worker has no MCP server `{server_of(name)}`.")
    offered = await connection.tools()
    if offered is None:
        return Tool(name, "(Its server does not answer.)", _ANY_OBJECT, _down(name), _what)
    if name not in offered:
        raise ToolUnavailable(f"`{name}`: the MCP server does not offer it.")
    return _bound(connection, offered[name], keys)


def _bound(connection: "McpConnection", offered: "OfferedTool", keys: "_Keys") -> Tool:
    async def run(arguments: Mapping[str, Any]) -> Any:
        meta = {META_KEY: keys.next(offered.name, arguments)}
        try:
            answer = await connection.call(offered.tool, arguments, meta)
        except TimeoutError:
            seconds = connection.server.timeout_s
            raise ToolError(f"timeout: it took longer than {seconds:g} s") from None
        except Exception as error:
            raise ToolError(f"{type(error).__name__}: {error}"[:_SHOWN]) from error
        failed = error_text(answer)
        if failed is not None:
            raise ToolError(failed)
        return answer_value(answer)

    return Tool(offered.name, offered.description, offered.parameters, run, _what)


def _down(name: str) -> Any:
    async def run(_: Mapping[str, Any]) -> Any:
        raise ToolError(f"the server {server_of(name)} does not answer; do without it")

    return run


def _what(arguments: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(arguments), default=str).decode()


class _Keys:
    """Keys of calls: alike for the same call of the same unit, however often it is tried."""

    def __init__(self, of_unit: str) -> None:
        self._of_unit = of_unit
        self._calls: Counter[bytes] = Counter()

    def next(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Return the key of a call; its repetition within one attempt has another one."""
        call = orjson.dumps([name, dict(arguments)], option=orjson.OPT_SORT_KEYS, default=str)
        self._calls[call] += 1
        told = f"{self._of_unit}/{self._calls[call]}/".encode() + call
        return hashlib.sha256(told).hexdigest()
