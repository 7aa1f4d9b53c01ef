"""How tools of MCP servers are called here, and which tools a project's list permits."""

import re
from collections.abc import Collection

PREFIX = "mcp__"
SERVER_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")  # no underscore: it parts server and tool
LONGEST_NAME = 64  # what endpoints of models take as the name of a function
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


def tool_name(server: str, tool: str) -> str | None:
    """Return ``mcp__SERVER__TOOL``, other characters as ``_``; None when that is too long."""
    name = f"{PREFIX}{server}__{_NOT_IN_NAMES.sub('_', tool)}"
    return name if len(name) <= LONGEST_NAME else None


def is_mcp_tool(name: str) -> bool:
    """Return True for a name of `tool_name`; no other tool is called so."""
    return name.startswith(PREFIX)


def server_of(name: str) -> str:
    """Return the server a tool's name speaks of."""
    return name.removeprefix(PREFIX).partition("__")[0]


def permits(allowed: Collection[str] | None, tool: str) -> bool:
    """Return True when a project's list permits a tool.

    Without a list (None) every tool is permitted but those of MCP servers: these must be listed.
    """
    return not is_mcp_tool(tool) if allowed is None else tool in allowed
