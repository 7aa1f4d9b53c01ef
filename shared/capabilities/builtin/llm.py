"""Facts of `llm`: one structured call of a model per unit; the plan says what comes out."""

from typing import Any

from shared.capabilities.contract import Manifest

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        "max_output_tokens": {"type": "integer", "minimum": 1},
        "pack": {"type": "integer", "minimum": 1, "default": 1},
    },
    "required": [],
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="llm",
    version="1",
    description="One structured call of a model per unit.",
    params=PARAMS,
    units=("rows", "group", "table"),
    queue="model",
    runs="loop",
    effects="none",
    emits="one",
    output=None,  # the plan gives it
    computed_output=False,
)
