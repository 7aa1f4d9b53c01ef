"""Facts of `fetch`: the text of a web page."""

from collections.abc import Mapping
from typing import Any

from shared.capabilities.contract import Columns, Manifest

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "field": {
            "type": "string",
            "minLength": 1,
            "description": "the column with the address of the page",
        }
    },
    "required": ["field"],
    "additionalProperties": False,
}

OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "url": {"type": ["string", "null"]},
        "status": {"type": ["integer", "null"]},
        "title": {"type": ["string", "null"]},
        "text": {"type": ["string", "null"]},
        "fetched_at": {"type": ["string", "null"], "format": "date-time"},
    },
    "required": ["url", "status", "title", "text", "fetched_at"],
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="fetch",
    version="1",
    description="Turns the address of a web page into its text.",
    params=PARAMS,
    units=("rows",),
    queue="model",
    runs="loop",
    effects="none",
    emits="one",
    output=OUTPUT,
    computed_output=False,
    reusable=False,  # the page may have changed
)


def output(inputs: Mapping[str, Columns], params: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one page."""
    del inputs, params
    return OUTPUT
