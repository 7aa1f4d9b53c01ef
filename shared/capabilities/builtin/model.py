"""Facts of the capabilities this release describes but does not run yet.

They let the linter answer `capability_unavailable` instead of calling the name unknown.
"""

from typing import Any

from shared.capabilities.contract import Manifest

NOT_YET_AVAILABLE: tuple[str, ...] = ("llm", "agent", "chat", "fetch")

_SAMPLING: dict[str, Any] = {
    "model": {"type": "string", "minLength": 1},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "max_output_tokens": {"type": "integer", "minimum": 1},
}

_FIELD: dict[str, Any] = {"field": {"type": "string", "minLength": 1}}


def _closed(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _row(**columns: dict[str, Any]) -> dict[str, Any]:
    return _closed(columns, tuple(columns))


_TEXT = {"type": ["string", "null"]}
_WHOLE = {"type": ["integer", "null"]}

MANIFESTS: dict[str, Manifest] = {
    "llm": Manifest(
        name="llm",
        version="1",
        description="One structured call of a model per unit.",
        params=_closed({**_SAMPLING, "pack": {"type": "integer", "minimum": 1, "default": 1}}),
        units=("rows", "group", "table"),
        queue="model",
        runs="loop",
        effects="none",
        emits="one",
        output=None,  # the plan gives it
        computed_output=False,
    ),
    "agent": Manifest(
        name="agent",
        version="1",
        description="A bounded loop of a model with tools.",
        params=_closed(
            {
                **_SAMPLING,
                "tools": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                "max_steps": {"type": "integer", "minimum": 1},
                "max_tool_calls": {"type": "integer", "minimum": 0},
                "max_tokens": {"type": "integer", "minimum": 1},
                "max_seconds": {"type": "number", "exclusiveMinimum": 0},
            }
        ),
        units=("rows", "group", "table"),
        queue="model",
        runs="loop",
        effects="none",
        emits="one",
        output=None,  # the plan's, plus `sources`
        computed_output=False,
    ),
    "chat": Manifest(
        name="chat",
        version="1",
        description="Sends a ready chat body to the model as it is.",
        params=_closed(_FIELD, ("field",)),
        units=("rows",),
        queue="model",
        runs="loop",
        effects="none",
        emits="one",
        output=_row(status_code=_WHOLE, request_id=_TEXT, body={}),
        computed_output=False,
    ),
    "fetch": Manifest(
        name="fetch",
        version="1",
        description="Turns the address of a web page into its text.",
        params=_closed(_FIELD, ("field",)),
        units=("rows",),
        queue="model",
        runs="loop",
        effects="none",
        emits="one",
        output=_row(
            url=_TEXT,
            status=_WHOLE,
            title=_TEXT,
            text=_TEXT,
            fetched_at={"type": ["string", "null"], "format": "date-time"},
        ),
        computed_output=False,
    ),
}
