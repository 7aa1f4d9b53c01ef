"""Builds the JSON body of a chat completion: pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.llm.abilities import UNKNOWN, Abilities
from shared.llm.endpoints import Endpoint

Message = Mapping[str, Any]
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens")  # the two names the API has had for it


def chat_body(
    endpoint: Endpoint,
    messages: Sequence[Message],
    *,
    abilities: Abilities = UNKNOWN,
    max_output_tokens: int | None = None,
    temperature: float | None = None,
    response_format: Mapping[str, Any] | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
    tool_choice: str | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the body in the endpoint's dialect; what it does not take is left out.

    `tools` and `response_format` are in the form of the API (`structured.response_format`).
    """
    body: dict[str, Any] = {"model": endpoint.model, "messages": messages}
    if max_output_tokens is not None:
        body[abilities.output_limit] = max_output_tokens
    if temperature is not None and abilities.temperature is not False:
        body["temperature"] = temperature
    if response_format is not None:
        body["response_format"] = response_format
    if tools:
        body["tools"] = tools
        body["tool_choice"] = tool_choice or "auto"
    return body


def stated_output_tokens(body: Mapping[str, Any]) -> int | None:
    """Return how many tokens a ready body lets each answer have; None where it sets no limit."""
    return next((body[name] for name in OUTPUT_LIMITS if body.get(name) is not None), None)


def with_output_limit(
    body: Mapping[str, Any], most_tokens: int, abilities: Abilities = UNKNOWN
) -> Mapping[str, Any]:
    """Return a ready body with a limit in the endpoint's dialect; as it is where it sets one."""
    if stated_output_tokens(body) is not None:
        return body
    silent = {name: value for name, value in body.items() if name not in OUTPUT_LIMITS}  # nulls
    return {**silent, abilities.output_limit: most_tokens}


def image_part(data_url: str) -> dict[str, Any]:
    """Return the part of a user message that shows an image, given as a ``data:`` address."""
    return {"type": "image_url", "image_url": {"url": data_url}}


def text_part(text: str) -> dict[str, Any]:
    """Return the part of a user message that is text (beside images)."""
    return {"type": "text", "text": text}
