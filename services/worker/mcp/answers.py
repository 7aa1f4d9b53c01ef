"""What a tool of an MCP server answered, as a JSON value of a sane size."""

from collections.abc import Iterator
from typing import Any

MOST_CHARS = 100_000  # of all texts; the agent is shown fewer


def answer_value(answer: Any) -> Any:
    """Return the structured content where there is one, else the texts as one text.

    `answer` is a `CallToolResult`. What is neither text nor structure is named, not shown.
    """
    if answer.structured_content is not None:
        return answer.structured_content
    return "\n".join(_clipped(answer.content))


def error_text(answer: Any) -> str | None:
    """Return what a failed tool says; None for one that did not fail."""
    if not answer.is_error:
        return None
    return "\n".join(_clipped(answer.content)) or "it failed and does not say why"


def _clipped(blocks: Any) -> Iterator[str]:
    left = MOST_CHARS
    for block in blocks:
        text = _text(block)[:left]
        left -= len(text)
        yield text
        if left <= 0:
            return


def _text(block: Any) -> str:
    if block.type == "text":
        return str(block.text)
    if block.type == "resource" and hasattr(block.resource, "text"):
        return str(block.resource.text)
    if block.type == "resource_link":
        return f"[link to {block.uri}]"
    return f"[{getattr(block, 'mime_type', None) or block.type}, not shown]"
