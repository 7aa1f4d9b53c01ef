"""Facts of `llm`: one structured call of a model per unit; the plan says what comes out."""

from typing import Any

from shared.capabilities.contract import Manifest

IMAGES: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "minLength": 1},
    "uniqueItems": True,
    "minItems": 1,
    "maxItems": 10,
    "description": "text columns that hold images as data:image/...;base64, addresses; the model "
    "is shown them beside the input, in which each stands as `[image N]`",
}

MAY_ASK_FOR_CONTEXT: dict[str, Any] = {
    "type": "boolean",
    "default": False,
    "description": "let a task say that it cannot be done without other rows: its unit fails with "
    "`missing_context` and says which rows, for a next round",
}

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        "max_output_tokens": {"type": "integer", "minimum": 1},
        "pack": {"type": "integer", "minimum": 1, "default": 1},
        "images": IMAGES,
        "may_ask_for_context": MAY_ASK_FOR_CONTEXT,
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
