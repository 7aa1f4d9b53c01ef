"""What the fake endpoint answers to a well-behaved call: text, JSON by schema, or tool calls."""

import json
from typing import Any

from tests.fake_llm.fill import fill
from tests.fake_llm.planner import is_planning, plan_answer, planning_call
from tests.fake_llm.prompt import CHARS_PER_TOKEN, Prompt
from tests.fake_llm.settings import Behaviour

REFUSAL = "I cannot help with that."
FORBIDDEN_TOOL = "delete_everything"


def completion(prompt: Prompt, behaviour: Behaviour, fault: str | None, no: int) -> dict[str, Any]:
    """Return a chat completion; `fault` is one of `faults.OF_THE_TEXT` or of no matter here."""
    message, finish = _message(prompt, behaviour, no)
    if message["content"] is not None:
        message, finish = _spoilt(message, finish, fault)
    told_out = len(json.dumps(message)) // CHARS_PER_TOKEN
    limit = prompt.body.get("max_tokens") or prompt.body.get("max_completion_tokens")
    if limit and told_out > limit and message["content"]:
        message = {**message, "content": message["content"][: limit * CHARS_PER_TOKEN]}
        finish, told_out = "length", limit
    answer: dict[str, Any] = {
        "id": f"chatcmpl-{no}",
        "object": "chat.completion",
        "created": 1,
        "model": prompt.body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
    }
    if behaviour.abilities.usage:
        answer["usage"] = {
            "prompt_tokens": prompt.tokens,
            "completion_tokens": told_out,
            "total_tokens": prompt.tokens + told_out,
        }
    return answer


def _message(prompt: Prompt, behaviour: Behaviour, no: int) -> tuple[dict[str, Any], str]:
    calls = _tool_calls(prompt, behaviour, no)
    if calls:
        message = {"role": "assistant", "content": None, "tool_calls": calls, "refusal": None}
        return message, "tool_calls"
    return {"role": "assistant", "content": _text(prompt, behaviour), "refusal": None}, "stop"


def _text(prompt: Prompt, behaviour: Behaviour) -> str:
    if is_planning(prompt.text):
        return plan_answer(prompt.sections)
    wanted = prompt.body.get("response_format") or {}
    markers = " ".join(prompt.own_markers)
    if behaviour.abilities.ignores_format:
        return f"Certainly! {markers}".strip()
    if prompt.schema is not None:
        packed = _packed(prompt, behaviour)
        value = packed or _asking(
            fill(prompt.schema, prompt.own_markers, prompt.digest, behaviour.output_words), prompt
        )
        return json.dumps(value)
    if wanted.get("type") == "json_object":
        return json.dumps({"answer": markers})
    if prompt.has_image:
        return "Red."
    words = " word" * max(0, behaviour.output_words - 2)
    return f"Answer {markers}".strip() + words


def _asking(value: Any, prompt: Prompt) -> Any:
    """Where the schema lets a row ask for other rows: ask if it wishes to, else answer."""
    if not isinstance(value, dict) or value.keys() != {"answer", "missing_context"}:
        return value
    wish = prompt.context_wish
    return {"answer": None if wish else value["answer"], "missing_context": wish}


def _packed(prompt: Prompt, behaviour: Behaviour) -> dict[str, Any] | None:
    """Fill one item per packed unit where the schema is an object around a list of items."""
    fields = (prompt.schema or {}).get("properties", {})
    lists = [name for name, part in fields.items() if part.get("type") == "array"]
    if not prompt.units or len(lists) != 1:
        return None
    item = fields[lists[0]].get("items", {})
    id_type = item.get("properties", {}).get("id", {}).get("type", "string")
    items = []
    for unit_id, text in prompt.units:
        alone = Prompt({"messages": [{"role": "user", "content": text}]})
        filled = fill(item, alone.own_markers, alone.digest, behaviour.output_words)
        filled = {name: _asking(value, alone) for name, value in filled.items()}
        items.append({**filled, "id": int(unit_id) if id_type == "integer" else unit_id})
    return {lists[0]: items}


def _tool_calls(prompt: Prompt, behaviour: Behaviour, no: int) -> list[dict[str, Any]]:
    """Call the tools the row wishes, else each offered tool once, in turn; then answer.

    ``TOOL:never_ending`` calls the first tool for ever, ``TOOL:outside`` one that is not offered,
    ``TOOL:none`` none. No tool is called where `tool_choice` says none. A planning request follows
    its goal instead (`planner.planning_call`); samples of rows may hold anything.
    """
    offered = [tool["function"] for tool in prompt.body.get("tools") or []]
    if not offered or prompt.body.get("tool_choice") == "none":
        return []
    done = sum(len(item.get("tool_calls") or []) for item in prompt.messages)
    if is_planning(prompt.text):
        planned = planning_call(prompt.sections, offered, done)
        return [_call(planned[0], offered, prompt, behaviour, planned[1], no)] if planned else []
    wishes = prompt.tool_wishes
    names = [name for name, _arguments in wishes]
    if "none" in names:
        return []
    if "never_ending" in names:
        return [_call(offered[0]["name"], offered, prompt, behaviour, None, no)]
    if not wishes:
        wishes = [(tool["name"], None) for tool in offered]
    if done >= len(wishes):
        return []
    name, arguments = wishes[done]
    name = FORBIDDEN_TOOL if name == "outside" else name
    return [_call(name, offered, prompt, behaviour, arguments, no)]


def _call(
    name: str, offered: list[dict[str, Any]], prompt: Prompt, behaviour: Behaviour,
    arguments: dict[str, Any] | None, no: int,
) -> dict[str, Any]:  # fmt: skip
    schemas = {tool["name"]: tool.get("parameters", {"type": "object"}) for tool in offered}
    if arguments is None:
        arguments = behaviour.tool_arguments.get(name)
    if arguments is None:
        arguments = fill(schemas.get(name, {"type": "object"}), prompt.own_markers, prompt.digest)
    function = {"name": name, "arguments": json.dumps(arguments or {})}
    return {"id": f"call_{no}", "type": "function", "function": function}


def _spoilt(message: dict[str, Any], finish: str, fault: str | None) -> tuple[dict[str, Any], str]:
    text = message["content"]
    match fault:
        case "length":
            return {**message, "content": text[: max(1, len(text) // 2)]}, "length"
        case "refusal":
            return {**message, "content": None, "refusal": REFUSAL}, "stop"
        case "content_filter":
            return {**message, "content": ""}, "content_filter"
        case "bad_json":
            return {**message, "content": text[: max(1, len(text) - 3)] + " oops"}, finish
        case "fenced":
            return {**message, "content": f"Here you are:\n```json\n{text}\n```"}, finish
        case "prose":
            return {**message, "content": f"{text}\n\nLet me know if you need more."}, finish
        case "bom":
            return {**message, "content": f"\ufeff{text}"}, finish
        case "thought":
            return {**message, "content": f'<think>Is it {{"a": 1}}?</think>\n{text}'}, finish
        case "schema":
            return {**message, "content": '{"unexpected": true}'}, finish
        case "empty_text":
            return {**message, "content": ""}, finish
        case "pack_missing" | "pack_reordered" | "pack_doubled":
            return {**message, "content": json.dumps(_repacked(json.loads(text), fault))}, finish
    return message, finish


def _repacked(value: Any, fault: str) -> Any:
    if not isinstance(value, dict):
        return value
    spoilt = dict(value)
    for name, items in value.items():
        if isinstance(items, list) and items:
            spoilt[name] = {
                "pack_missing": items[:-1],
                "pack_reordered": items[::-1],
                "pack_doubled": [*items, items[0]],
            }[fault]
    return spoilt
