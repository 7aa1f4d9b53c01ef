"""The strict form of a JSON Schema a stage gives for its output rows."""

from typing import Any

_BRANCHES = ("anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "$defs")


def strict_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with every object of named properties closed and complete.

    Such an object gets ``additionalProperties: false`` and all its properties required, also
    inside `properties`, `items`, `$defs` and branches. An object that names no property stays
    open: closing it would leave only the empty object. `allOf`, `not` and conditions are left
    as they are, since closed branches of one conjunction would exclude each other.
    """
    strict = {key: _strict_member(key, value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        strict["additionalProperties"] = False
        strict["required"] = list(schema["properties"])
    return strict


def _strict_member(key: str, value: Any) -> Any:
    if key in _NAMED and isinstance(value, dict):
        return {name: _strict_or_same(field) for name, field in value.items()}
    if key in _BRANCHES and isinstance(value, list):
        return [_strict_or_same(branch) for branch in value]
    return _strict_or_same(value) if key == "items" else value


def _strict_or_same(value: Any) -> Any:
    return strict_schema(value) if isinstance(value, dict) else value
