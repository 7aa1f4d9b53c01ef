"""Facts of `agent`: a bounded loop of a model with tools."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.capabilities.builtin.llm import IMAGES, MAY_ASK_FOR_CONTEXT
from shared.capabilities.contract import Capability, Manifest
from shared.domain.mcp_tool import is_mcp_tool

OWN_TOOLS = ("sql", "fetch", "search_text")
CHANGING_TOOLS = frozenset({"fetch"})  # what they return changes with time
MODEL_RUN = frozenset({"llm", "agent", "chat"})  # a tool never calls a model again
DEFAULT_STEPS = 8
DEFAULT_TOOL_CALLS = 16
DEFAULT_TOKENS = 60_000

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        "max_output_tokens": {"type": "integer", "minimum": 1},
        "tools": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "uniqueItems": True,
            "maxItems": 32,
            "description": "sql, fetch, search_text, the name of a deterministic capability, or a "
            "tool of an MCP server as mcp__SERVER__TOOL",
        },
        "images": IMAGES,
        "may_ask_for_context": MAY_ASK_FOR_CONTEXT,
        "max_steps": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "default": DEFAULT_STEPS,
            "description": "calls of the model that may use tools; one more gives the answer",
        },
        "max_tool_calls": {
            "type": "integer",
            "minimum": 0,
            "maximum": 500,
            "default": DEFAULT_TOOL_CALLS,
        },
        "max_tokens": {
            "type": "integer",
            "minimum": 1,
            "default": DEFAULT_TOKENS,
            "description": "tokens of all calls together after which the answer is asked for",
        },
        "max_seconds": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "seconds after which the answer is asked for; by default and at most "
            "three quarters of the unit's time",
        },
    },
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="agent",
    version="1",
    description="A bounded loop of a model with tools.",
    params=PARAMS,
    units=("rows", "group", "table"),
    queue="model",
    runs="loop",
    effects="none",
    emits="one",
    output=None,  # the plan's, plus `sources`
    computed_output=False,
    reusable=False,  # not always: it depends on the tools
)


def check_params(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the schema cannot say: no tool may be run by a model itself."""
    return [
        (f"/tools/{index}", f"`{tool}` is run by a model and cannot be a tool; remove it.")
        for index, tool in enumerate(params.get("tools", []))
        if tool in MODEL_RUN
    ]


def is_reusable_with(tools: Iterable[str], known: Mapping[str, Capability]) -> bool:
    """Return False where one of the tools may answer otherwise tomorrow.

    `known` are the capabilities that can be tools; whose `reusable` depends on parameters counts
    as changing, since the model chooses those.
    """
    return not any(
        tool in CHANGING_TOOLS
        or is_mcp_tool(tool)
        or getattr(known.get(tool), "reusable", True) is not True
        for tool in tools
    )


def is_tool(capability: Capability | Manifest) -> bool:
    """Return True for what an agent may run: deterministic, harmless, and made for rows."""
    return (
        capability.queue == "cpu"
        and capability.effects == "none"
        and "rows" in capability.units
        and getattr(capability, "reads", "rows") == "rows"
    )


def tools_of(manifests: Iterable[Manifest]) -> frozenset[str]:
    """Return the tools an agent may list where these capabilities are there."""
    return frozenset(OWN_TOOLS) | {manifest.name for manifest in manifests if is_tool(manifest)}
