"""What aimock is told to answer: fixtures in its own form, made of a few words."""

from typing import Any


def says(content: Any, *, chaos: dict[str, float] | None = None, **match: Any) -> dict[str, Any]:
    """Answer what fits `match` with a text; what is no string becomes JSON."""
    extra = {"chaos": chaos} if chaos else {}
    return {"match": match, "response": {"content": content}, **extra}


def cut_off(content: str, **match: Any) -> dict[str, Any]:
    """Answer with a text that ended at the limit of its tokens."""
    return {"match": match, "response": {"content": content, "finishReason": "length"}}


def calls(name: str, arguments: dict[str, Any], call_id: str, **match: Any) -> dict[str, Any]:
    """Answer with one call of a tool."""
    call = {"id": call_id, "name": name, "arguments": arguments}
    return {"match": match, "response": {"toolCalls": [call]}}


def fails(status: int, error: dict[str, Any] | None = None, **match: Any) -> dict[str, Any]:
    """Answer with an error."""
    told = {"message": "made up by a fixture", "type": "server_error", **(error or {})}
    return {"match": match, "response": {"error": told, "status": status}}
