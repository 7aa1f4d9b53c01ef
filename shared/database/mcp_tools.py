"""Tools of MCP servers, written by the workers that are connected, read by api and planner."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class McpTool:
    """One tool; only a `read_only` one may be used without the permission for external effects."""

    name: str
    server: str
    tool: str
    description: str
    read_only: bool


def publish(connection: Connection, server: str, found: Sequence[McpTool]) -> None:
    """Write what a server offers now; what it no longer offers is forgotten."""
    connection.execute(
        text("DELETE FROM mcp_tools WHERE server = :server AND NOT name = ANY(:names)"),
        {"server": server, "names": [one.name for one in found]},
    )
    for one in sorted(found, key=lambda tool: tool.name):
        connection.execute(
            text("""INSERT INTO mcp_tools (name, server, tool, description, read_only)
              VALUES (:name, :server, :tool, :description, :read_only)
              ON CONFLICT (name) DO UPDATE SET server = excluded.server, tool = excluded.tool,
                description = excluded.description, read_only = excluded.read_only,
                seen_at = clock_timestamp()"""),
            {
                "name": one.name, "server": one.server, "tool": one.tool,
                "description": one.description, "read_only": one.read_only,
            },
        )  # fmt: skip


def keep_servers(connection: Connection, servers: Sequence[str]) -> None:
    """Forget the tools of servers that are no longer configured."""
    connection.execute(
        text("DELETE FROM mcp_tools WHERE NOT server = ANY(:servers)"), {"servers": list(servers)}
    )


def all_tools(connection: Connection) -> list[McpTool]:
    """Return every tool there is, by name."""
    rows = connection.execute(
        text("SELECT name, server, tool, description, read_only FROM mcp_tools ORDER BY name")
    ).mappings()
    return [McpTool(**row) for row in rows]
