"""Says which tools the agents of a project may use: the operator's verb."""

from collections.abc import Sequence

from shared.actions.refusals import FieldProblem, Invalid, NotFound
from shared.capabilities import builtin
from shared.capabilities.builtin.agent import tools_of
from shared.capabilities.contract import Manifest
from shared.contracts.names import did_you_mean
from shared.database import audit, capabilities, mcp_tools, projects
from shared.database.engine import Connection
from shared.database.projects import ProjectRecord


def allow_tools(
    connection: Connection, name: str, tools: Sequence[str] | None, *, actor: str = "system"
) -> ProjectRecord:
    """Replace the project's list and return the project; None allows all but MCP servers' tools.

    Plans are checked against the list when they are made, and workers look at it before each
    shard. Raises NotFound for a project nobody made, Invalid for a name no worker offers.
    """
    project = find_project(connection, name)
    wanted = require_tools(connection, tools)
    projects.set_tools(connection, project.id, wanted)
    detail = {"tools": None if wanted is None else list(wanted)}
    audit.append(connection, project.id, actor, "project.tools", project.id, detail)
    return find_project(connection, name)


def require_tools(connection: Connection, tools: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the tools, each once; raises Invalid for a name no worker offers."""
    wanted = None if tools is None else tuple(dict.fromkeys(tools))
    known = offered_tools(connection)
    unknown = [tool for tool in wanted or () if tool not in known]
    if unknown:
        raise Invalid(
            [
                FieldProblem("/tools", f"There is no tool `{tool}`." + did_you_mean(tool, known))
                for tool in unknown
            ]
        )
    return wanted


def find_project(connection: Connection, name: str) -> ProjectRecord:
    """Return the project of a name; raises NotFound."""
    found = projects.find_named(connection, name)
    if found is None:
        raise NotFound("project")
    return found


def offered_tools(connection: Connection) -> frozenset[str]:
    """Return every tool there is: the agent's own, what workers here have, MCP servers' tools."""
    stored = [Manifest.from_json(one) for one in capabilities.manifests(connection)]
    foreign = {tool.name for tool in mcp_tools.all_tools(connection)}
    return tools_of([*builtin.manifests().values(), *stored]) | foreign
