"""What a server offers, checked: names a model can call, schemas that are usable here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from shared.capabilities.mcp_servers import McpServer
from shared.domain.mcp_tool import LONGEST_NAME, tool_name

MOST_TOOLS = 200
DESCRIPTION_CHARS = 2_000
SCHEMA_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """One tool: `name` is ours, `tool` the server's."""

    name: str
    tool: str
    description: str
    parameters: dict[str, Any]
    read_only: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """The sound tools of a server by our names, and a sentence for each one left out."""

    tools: Mapping[str, OfferedTool]
    problems: tuple[str, ...]


def listing(server: McpServer, listed: Iterable[tuple[str, str, Any]]) -> Listing:
    """Return what is offered of (name, description, input schema) as a server lists them."""
    found: dict[str, OfferedTool] = {}
    problems = []
    for tool, description, schema in listed:
        if server.tools is not None and tool not in server.tools:
            continue
        name = tool_name(server.name, tool)
        problem = _problem(found, name, schema)
        if problem is None and name is not None:
            told = description[:DESCRIPTION_CHARS].replace("\0", "")
            read_only = server.is_read_only(tool)
            found[name] = OfferedTool(name, tool, told, schema, read_only)
        else:
            problems.append(f"{server.name}: {tool[:100]!r}: {problem}; it is left out")
    return Listing(found, tuple(problems))


def _problem(found: Mapping[str, OfferedTool], name: str | None, schema: Any) -> str | None:
    if name is None:
        return f"with the server's its name has more than {LONGEST_NAME} characters"
    if name in found:
        return f"another tool is called {name} as well"
    if len(found) >= MOST_TOOLS:
        return f"the server has more than {MOST_TOOLS} tools"
    return _schema_problem(schema)


def _schema_problem(schema: Any) -> str | None:
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "its input is no object"
    if len(orjson.dumps(schema)) > SCHEMA_BYTES:
        return f"the schema of its input has more than {SCHEMA_BYTES} bytes"
    if any(not target.startswith("#") for target in _references(schema)):
        return "the schema of its input refers to another document"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return "the schema of its input is not valid"
    return None


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _references(item)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            yield from _references(value)
