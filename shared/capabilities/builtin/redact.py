"""Facts of `redact`: personal data found by form and checksum becomes typed placeholders."""

from collections.abc import Mapping
from typing import Any

from shared.capabilities.contract import Columns, Manifest

CLASSES = (
    "email",
    "phone",
    "ip",
    "url",
    "card",
    "iban",
    "national_id",
    "date_of_birth",
    "secret",
)
DEFAULT_REGIONS = ("US", "GB", "DE", "FR")

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "minLength": 1, "description": "the column with the text"},
        "classes": {
            "type": "array",
            "items": {"enum": list(CLASSES)},
            "minItems": 1,
            "uniqueItems": True,
            "default": list(CLASSES),
            "description": "what to redact; everything when left out",
        },
        "regions": {
            "type": "array",
            "items": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "maxItems": 12,
            "uniqueItems": True,
            "default": list(DEFAULT_REGIONS),
            "description": "countries whose national phone formats are recognised",
        },
    },
    "required": ["field"],
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="redact",
    version="1",
    description="Replaces personal data by typed placeholders and counts it per class.",
    params=PARAMS,
    units=("rows",),
    queue="cpu",
    runs="process",
    effects="none",
    emits="one",
    output=None,
    computed_output=True,
)

_ENTITIES: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "class": {"enum": list(CLASSES)},
            "count": {"type": "integer", "minimum": 1},
        },
        "required": ["class", "count"],
        "additionalProperties": False,
    },
}


def output(inputs: Mapping[str, Columns], params: dict[str, Any]) -> dict[str, Any]:
    """Return the schema: the redacted field under its own name, and `entities`."""
    del inputs
    return {
        "type": "object",
        "properties": {params["field"]: {"type": ["string", "null"]}, "entities": _ENTITIES},
        "required": [params["field"], "entities"],
        "additionalProperties": False,
    }


def check_params(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the schema cannot say: the field must not be called `entities`."""
    if params["field"] == "entities":
        return [("/field", "`entities` is the name of redact's own column; rename the field.")]
    return []
