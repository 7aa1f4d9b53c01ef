"""What a tool of an agent is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


class ToolError(Exception):
    """The tool cannot do what was asked; the text tells the model why."""


class ToolUnavailable(LookupError):
    """The stage lists a tool this worker does not have."""

    code = "tool_unavailable"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the model is told of it, and the function that runs it.

    `run` takes the arguments, checked against `parameters`, and returns a JSON value. It raises
    ToolError; what else it raises is told by its kind and text. `what` names what arguments look
    at, for the sources.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    run: Callable[[Mapping[str, Any]], Awaitable[Any]]
    what: Callable[[Mapping[str, Any]], str]

    def definition(self) -> dict[str, Any]:
        """Return the tool in the form of the chat API."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        return {"type": "function", "function": function}


def closed(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of arguments that are all required, and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
