"""The tools one agent has: exactly those its stage lists, each bound to its own unit."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from services.worker.capabilities.agent_capability import capability_tool, installed_tools
from services.worker.capabilities.agent_fetch import fetch_tool
from services.worker.capabilities.agent_search import search_tool
from services.worker.capabilities.agent_sql import sql_tool
from services.worker.capabilities.agent_tool import Tool, ToolError, ToolUnavailable
from services.worker.capabilities.agent_transcript import ToolUse
from services.worker.capabilities.fetch_page import fetch_limits
from shared.capabilities.contract import Capability, Unit
from shared.domain.model_call import ToolCall

RESULT_CHARS = 8_000
ARGUMENT_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Tools by name; a name that is not among them is refused."""

    tools: Mapping[str, Tool]

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The tools in the form of the chat API."""
        return [tool.definition() for tool in self.tools.values()]

    async def use(self, call: ToolCall) -> ToolUse:
        """Run what the model asked for; every ending is told, none is raised."""
        tool = self.tools.get(call.name)
        if tool is None:
            offered = ", ".join(self.tools) or "none"
            told = f"There is no such tool here. Tools: {offered}."
            return ToolUse(call.name, call.arguments, "refused", told)
        arguments = _arguments(call.arguments)
        if arguments is None:
            return ToolUse(call.name, call.arguments, "unread", "The arguments are no JSON object.")
        problem = next(iter(Draft202012Validator(tool.parameters).iter_errors(arguments)), None)
        if problem is not None:
            return ToolUse(call.name, call.arguments, "error", problem.message[:500])
        return await _run(tool, call, arguments)


def toolbox(
    names: Sequence[str], unit: Unit, capabilities: Mapping[str, Capability] | None = None,
    foreign: Mapping[str, Tool] = MappingProxyType({}),
) -> Toolbox:  # fmt: skip
    """Return the tools a stage lists; raise ToolUnavailable for one that is not here.

    `capabilities` are those an agent may run (default: the deterministic ones installed here),
    `foreign` tools of MCP servers.
    """
    return Toolbox({name: foreign.get(name) or _tool(name, unit, capabilities) for name in names})


def readable(arguments: str) -> bool:
    """Return True when the text of a call's arguments is a JSON object of a sane size."""
    return _arguments(arguments) is not None


def _tool(name: str, unit: Unit, capabilities: Mapping[str, Capability] | None) -> Tool:
    if name == "sql":
        return sql_tool(unit)
    if name == "search_text":
        return search_tool(unit)
    if name == "fetch":
        return fetch_tool(fetch_limits())
    known = installed_tools() if capabilities is None else capabilities
    if name not in known:
        raise ToolUnavailable(f"`{name}` is no tool of this worker; there is {', '.join(known)}.")
    return capability_tool(known[name])


def _arguments(text: str) -> dict[str, Any] | None:
    if len(text) > ARGUMENT_CHARS:
        return None
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


async def _run(tool: Tool, call: ToolCall, arguments: dict[str, Any]) -> ToolUse:
    try:
        value = await tool.run(arguments)
        text = orjson.dumps(value, default=str).decode()
    except ToolError as error:
        return ToolUse(tool.name, call.arguments, "error", str(error)[:RESULT_CHARS])
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's capability; its error is an answer
        told = f"{type(error).__name__}: {error}"[:500]
        return ToolUse(tool.name, call.arguments, "error", told)
    return ToolUse(tool.name, call.arguments, "ok", _clipped(text), tool.what(arguments))


def _clipped(text: str) -> str:
    more = len(text) - RESULT_CHARS
    return text if more <= 0 else f"{text[:RESULT_CHARS]} [... {more} more characters]"
