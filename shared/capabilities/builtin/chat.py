"""Facts of `chat`: a ready chat body, sent as it is."""

from collections.abc import Mapping
from typing import Any

from shared.capabilities.contract import Columns, Manifest

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "field": {
            "type": "string",
            "minLength": 1,
            "description": "the column with the body of a chat completion request",
        },
        "require_ok": {
            "type": "boolean",
            "default": False,
            "description": "fail a unit whose answer is no chat completion, and keep the answer",
        },
    },
    "required": ["field"],
    "additionalProperties": False,
}

OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status_code": {"type": ["integer", "null"]},
        "request_id": {"type": ["string", "null"]},
        "body": {},
    },
    "required": ["status_code", "request_id", "body"],
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="chat",
    version="1",
    description="Sends a ready chat body to the model as it is.",
    params=PARAMS,
    units=("rows",),
    queue="model",
    runs="loop",
    effects="none",
    emits="one",
    output=OUTPUT,
    computed_output=False,
    reusable=False,  # the answer is whatever the endpoint said, errors too
)


def output(inputs: Mapping[str, Columns], params: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one answer."""
    del inputs, params
    return OUTPUT
