"""Makes goal, inputs, labels or records of a payload, by JSON Pointers; one pass, no logic."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain.json_path import MISSING, is_pointer, look_up

LONGEST_GOAL = 20_000
LONGEST_LABEL = 1_000
_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")


class MappingError(ValueError):
    """The payload has not what the mapping asks for; `pointer` leads into the trigger."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer, self.detail = pointer, detail


@dataclass(frozen=True, slots=True)
class Filled:
    """What one payload gives a job; inputs are as in POST /v1/jobs (`rows` or `text`, `key`)."""

    goal: str | None = None
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def fill(mapping: Mapping[str, Any], payload: Any) -> Filled:
    """Return what the payload gives; raises MappingError.

    A value put into the goal is never looked at again: placeholders in it stay as they are.
    """
    goal = mapping.get("goal")
    return Filled(
        None if goal is None else _goal(goal, payload),
        {name: _input(name, one, payload) for name, one in (mapping.get("inputs") or {}).items()},
        _labels(mapping.get("labels") or {}, payload),
    )


def records_of(source: Mapping[str, Any], payload: Any) -> list[Any]:
    """Return the records for a stream: `rows` at a pointer, or one `object` of pointers."""
    return _rows(source, payload, "/records")


def placeholder_problem(template: str) -> str | None:
    """Return what is wrong with the placeholders of a goal, None when they are all pointers."""
    for inside in _PLACEHOLDER.findall(template):
        if not inside.strip() or not is_pointer(inside.strip()):
            return f"Write JSON Pointers as {{{{ /issue/title }}}}, not {{{{{inside[:60]}}}}}."
    return None


def _goal(template: str, payload: Any) -> str:
    def value(found: re.Match[str]) -> str:
        pointer = found[1].strip()
        at = look_up(payload, pointer)
        if at is MISSING:
            raise MappingError("/mapping/goal", f"The payload has nothing at {pointer}.")
        return _text(at)

    goal = _PLACEHOLDER.sub(value, template)
    if not goal.strip():
        raise MappingError("/mapping/goal", "The goal is empty for this payload.")
    if len(goal) > LONGEST_GOAL:
        told = f"The goal has more than {LONGEST_GOAL} characters; put long text into an input."
        raise MappingError("/mapping/goal", told)
    return goal


def _input(name: str, source: Mapping[str, Any], payload: Any) -> dict[str, Any]:
    where = f"/mapping/inputs/{name}"
    key = {"key": source["key"]} if source.get("key") is not None else {}
    if "text" in source:
        text = look_up(payload, source["text"])
        if text is MISSING:
            raise MappingError(where, f"The payload has nothing at {source['text']}.")
        return {"text": _text(text), **key}
    return {"rows": _rows(source, payload, where), **key}


def _rows(source: Mapping[str, Any], payload: Any, where: str) -> list[Any]:
    if "object" in source:
        found = {name: look_up(payload, at) for name, at in source["object"].items()}
        return [{name: None if one is MISSING else one for name, one in found.items()}]
    at = source["rows"]
    rows = look_up(payload, at)
    if rows is MISSING:
        raise MappingError(where, f"The payload has nothing at {at or 'its root'}.")
    found_rows = [rows] if isinstance(rows, dict) else rows
    if not isinstance(found_rows, list) or not all(isinstance(row, dict) for row in found_rows):
        told = f"At {at or 'its root'} there is neither an object nor an array of objects."
        raise MappingError(where, told)
    return found_rows


def _labels(labels: Mapping[str, str], payload: Any) -> dict[str, str]:
    """Return the labels whose pointers lead to something; the others are left out."""
    found = {}
    for name, at in labels.items():
        value = look_up(payload, at)
        if value is MISSING or value is None:
            continue
        text = _text(value)
        if len(text) > LONGEST_LABEL:
            told = f"What is at {at} has more than {LONGEST_LABEL} characters."
            raise MappingError(f"/mapping/labels/{name}", told)
        found[name] = text
    return found


def _text(value: Any) -> str:
    """Text as it is, null as nothing, all else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
