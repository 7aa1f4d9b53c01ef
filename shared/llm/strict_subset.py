"""The part of JSON Schema that strict structured output takes: pure.

Providers refuse a schema with more than this part, so what only narrows is left out (our own
validator checks it afterwards), and a schema that cannot be said in it is not sent at all.
"""

from typing import Any

from shared.contracts.output_schema import strict_schema

_KEPT = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "description",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
    }
)
_FORMATS = frozenset({"date", "date-time", "time", "duration", "email", "hostname", "ipv4", "uuid"})
_UNSAYABLE = frozenset(
    {"allOf", "not", "if", "then", "else", "patternProperties", "prefixItems", "$dynamicRef"}
)


def sendable_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema as strict mode takes it; None when it cannot be said so.

    The root must be an object with named properties; every part must say its type.
    """
    strict = strict_schema(schema)
    if strict.get("type") != "object" or not strict.get("properties"):
        return None
    try:
        return _part(strict)
    except _UnsayableError:
        return None


class _UnsayableError(Exception):
    """Strict mode has no words for a part of the schema."""


def _part(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, dict) or _UNSAYABLE & schema.keys():
        raise _UnsayableError
    kept = {key: value for key, value in schema.items() if key in _KEPT}
    if "oneOf" in schema:
        kept["anyOf"] = schema["oneOf"]
    if not kept.keys() & {"type", "enum", "const", "anyOf", "$ref"}:
        raise _UnsayableError
    if _types(kept) & {"object"} and not isinstance(kept.get("properties"), dict):
        raise _UnsayableError
    if _types(kept) & {"array"} and "items" not in kept:
        raise _UnsayableError
    if kept.get("format") not in _FORMATS:
        kept.pop("format", None)
    for name in ("properties", "$defs"):
        if name in kept:
            kept[name] = {key: _part(value) for key, value in kept[name].items()}
    if "anyOf" in kept:
        kept["anyOf"] = [_part(branch) for branch in kept["anyOf"]]
    if "items" in kept:
        kept["items"] = _part(kept["items"])
    return kept


def _types(schema: dict[str, Any]) -> set[str]:
    declared = schema.get("type", [])
    return {declared} if isinstance(declared, str) else set(declared)
