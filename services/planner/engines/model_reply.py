"""Replies of the planning model as JSON, to be kept, and as messages, to be shown again."""

from typing import Any

from shared.domain.model_call import Reply, ToolCall, Usage


def reply_to_json(reply: Reply) -> dict[str, Any]:
    """Return the form that is stored; what `reply_from_json` reads."""
    return {
        "text": reply.text,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in reply.tool_calls
        ],
        "finish_reason": reply.finish_reason,
        "usage": {
            "input_tokens": reply.usage.input_tokens,
            "output_tokens": reply.usage.output_tokens,
            "estimated": reply.usage.estimated,
            "cached_tokens": reply.usage.cached_tokens,
        },
        "model": reply.model,
        "latency_ms": reply.latency_ms,
    }


def reply_from_json(value: dict[str, Any]) -> Reply:
    """Return the reply that was stored."""
    return Reply(
        text=value["text"],
        tool_calls=tuple(ToolCall(**call) for call in value["tool_calls"]),
        finish_reason=value["finish_reason"],
        refusal=None,
        usage=Usage(**value["usage"]),
        model=value["model"],
        latency_ms=value["latency_ms"],
    )


def said_by_model(reply: Reply) -> dict[str, Any]:
    """Return the assistant's message that stands for a reply in the conversation."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in reply.tool_calls
        ]
    elif not reply.text:
        message["content"] = "(empty)"
    return message


def tool_result(call: ToolCall, content: str) -> dict[str, Any]:
    """Return the message that answers one tool call."""
    return {"role": "tool", "tool_call_id": call.id, "content": content}
