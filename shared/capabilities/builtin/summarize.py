"""Facts of `summarize`: picks the sentences that say most, without a model."""

from collections.abc import Mapping
from typing import Any

from shared.capabilities.contract import Columns, Manifest

DEFAULT_SENTENCES = 3

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "minLength": 1, "description": "the column with the text"},
        "sentences": {
            "type": "integer",
            "minimum": 1,
            "maximum": 50,
            "default": DEFAULT_SENTENCES,
            "description": "sentences to pick per unit",
        },
    },
    "required": ["field"],
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="summarize",
    version="1",
    description="Picks the most telling sentences of a text or a group of texts.",
    params=PARAMS,
    units=("rows", "group", "table"),
    queue="cpu",
    runs="process",
    effects="none",
    emits="one",
    output=None,
    computed_output=True,
)


def output(inputs: Mapping[str, Columns], params: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a summary."""
    del inputs, params
    return {
        "type": "object",
        "properties": {"summary": {"type": "string"}},
        "required": ["summary"],
        "additionalProperties": False,
    }
