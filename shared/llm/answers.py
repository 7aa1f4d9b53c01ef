"""Turns an HTTP answer into a Reply or a CallFailure: pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from shared.domain.model_call import CallFailure, FinishReason, Reply, ToolCall, Usage
from shared.llm.failures import error_inside_ok, failure_of
from shared.llm.http_answer import HttpAnswer
from shared.llm.limit_headers import limit_hints
from shared.llm.tokens import estimate_tokens_of_bytes, estimate_tokens_of_request

_BOM = b"\xef\xbb\xbf"
_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "prohibited_content": "content_filter",
    "refusal": "content_filter",
}


def read_answer(answer: HttpAnswer, request: bytes) -> Reply | CallFailure:
    """Return what the answer to `request` (its JSON body) means.

    A reply is complete: truncated and refused answers come as failures that carry their usage.
    """
    if not 200 <= answer.status < 300:
        return failure_of(answer.status, answer.headers, answer.content)
    found = _read_ok(answer, request)
    limits = limit_hints(answer.headers, datetime.now(UTC))
    return found if limits is None else replace(found, limits=limits)


def _read_ok(answer: HttpAnswer, request: bytes) -> Reply | CallFailure:
    body = _json_object(answer)
    if isinstance(body, CallFailure):
        return body
    if failure := error_inside_ok(body):
        return failure
    usage = _usage(body.get("usage")) or _estimate(request, answer.content)
    model = body.get("model")
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    if not isinstance(first, Mapping) or not isinstance(message, Mapping):
        return _bad("there are no choices in it", answer.status, usage)
    reply = Reply(
        text=_text(message.get("content")),
        tool_calls=_tool_calls(message.get("tool_calls")),
        finish_reason=_finish(first.get("finish_reason")),
        refusal=message.get("refusal") if isinstance(message.get("refusal"), str) else None,
        usage=usage,
        model=model if isinstance(model, str) else "",
    )
    return _complete(reply, answer.status)


def _complete(reply: Reply, status: int) -> Reply | CallFailure:
    """Return the reply if a caller may use it as it is."""
    told = (status, None, reply.usage, reply.text, reply.model)
    if reply.refusal:
        return CallFailure("refused", reply.refusal[:500], *told)
    if reply.finish_reason == "content_filter":
        return CallFailure("refused", "The provider's content filter stopped the answer.", *told)
    if reply.finish_reason == "length":
        detail = f"The answer was cut off after {reply.usage.output_tokens} tokens."
        return CallFailure("truncated", detail, *told)
    if reply.text is None and not reply.tool_calls:
        return _bad("its message has neither text nor tool calls", status, reply.usage)
    return reply


def _json_object(answer: HttpAnswer) -> dict[str, Any] | CallFailure:
    content = answer.content.removeprefix(_BOM)
    if not content.strip():
        return _bad("it is empty", answer.status)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        return _bad(f"its content type is {kind[:60]!r}, not application/json", answer.status)
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return _bad(_why_not_json(content, error), answer.status)
    if not isinstance(body, dict):
        return _bad("it is not a JSON object", answer.status)
    return body


def _why_not_json(content: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8"
    return f"it is not JSON ({str(error)[:200]})"


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [part.get("text") for part in content if isinstance(part, Mapping)]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else None


def _tool_calls(calls: Any) -> tuple[ToolCall, ...]:
    found = []
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            continue
        arguments = function.get("arguments")
        if not isinstance(arguments, str):  # some servers send the object itself
            arguments = _dumped(arguments)
        found.append(ToolCall(str(call.get("id") or f"call_{number}"), function["name"], arguments))
    return tuple(found)


def _dumped(arguments: Any) -> str:
    try:
        return orjson.dumps(arguments or {}).decode()
    except TypeError:  # nested too deeply: no tool takes that
        return "{}"


def _finish(reason: Any) -> FinishReason:
    return _FINISH.get(str(reason).lower(), "stop")


def _usage(told: Any) -> Usage | None:
    if not isinstance(told, Mapping):
        return None
    tokens_in = _count(told.get("prompt_tokens", told.get("input_tokens")))
    tokens_out = _count(told.get("completion_tokens", told.get("output_tokens")))
    if tokens_in is None or tokens_out is None:
        return None
    details = told.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
    return Usage(tokens_in, tokens_out, cached_tokens=cached or 0)


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**40 else None


def _estimate(request: bytes, content: bytes) -> Usage:
    sent = estimate_tokens_of_request(request)
    return Usage(sent, estimate_tokens_of_bytes(content), True)


def _bad(why: str, status: int, usage: Usage | None = None) -> CallFailure:
    return CallFailure("bad_response", f"HTTP {status}, but {why}.", status=status, usage=usage)
