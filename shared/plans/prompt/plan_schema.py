"""The plan document as a JSON Schema, for the tool by which a model submits it; pure.

It only guides: `shared.contracts.plan` and the linter decide.
"""

from typing import Any

_TEXT = {"type": "string"}
_ANY_OBJECT = {"type": "object"}

UNIT: dict[str, Any] = {
    "type": "object",
    "description": "Exactly one of rows, group_by, table.",
    "properties": {
        "rows": {"type": "integer"},
        "overlap": {"type": "integer"},
        "group_by": {"type": "array", "items": _TEXT},
        "order_by": {"type": "array", "items": _TEXT},
        "table": {"type": "boolean"},
    },
}
STAGE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "over": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]},
        "unit": UNIT,
        "capability": _TEXT,
        "params": _ANY_OBJECT,
        "template": {
            "type": "object",
            "properties": {"instructions": _TEXT, "input": _TEXT},
        },
        "output": {**_ANY_OBJECT, "description": "JSON Schema of one output row."},
        "emit": {"type": "string", "enum": ["one", "many"]},
        "keep": {"type": "array", "items": _TEXT},
        "replicas": {"type": "integer"},
        "agree": {"type": "string", "enum": ["majority", "all", "judge"]},
        "retries": {"type": "integer"},
        "timeout_s": {"type": "number"},
        "max_failed": {"type": "number"},
    },
    "required": ["name", "over", "unit", "capability"],
}
PLAN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "version": {"type": "integer", "enum": [1]},
        "brief": _TEXT,
        "tables": {
            "type": "object",
            "description": "Small tables by name, each a list of rows.",
            "additionalProperties": {"type": "array", "items": _ANY_OBJECT},
        },
        "stages": {"type": "array", "items": STAGE},
        "result": {"type": "object", "properties": {"table": _TEXT}, "required": ["table"]},
        "then": {"type": "string", "enum": ["finish", "replan"]},
    },
    "required": ["version", "stages", "result"],
}
# What a text answer must be to be taken for a plan at all; the contract tells the rest.
OUTLINE: dict[str, Any] = {
    "type": "object",
    "properties": {"stages": {"type": "array"}},
    "required": ["stages"],
}
