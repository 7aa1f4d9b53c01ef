"""The typed columns every data table has."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

ColumnType = Literal["string", "integer", "number", "boolean", "date", "timestamp", "json"]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a data table.

    ``integer`` is 64 bit signed, ``number`` is IEEE double, ``timestamp`` is UTC to the
    microsecond, ``json`` is any JSON value (nested or of mixed type). Every column is nullable.
    """

    name: str
    type: ColumnType

    def to_json(self) -> dict[str, str]:
        """Return ``{"name", "type"}`` as it stands in Postgres and in the HTTP interface."""
        return {"name": self.name, "type": self.type}

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Column":
        """Read what `to_json` wrote."""
        return Column(value["name"], value["type"])


def columns_of_schema(schema: dict[str, Any]) -> tuple[Column, ...]:
    """Return the columns of rows that satisfy a JSON Schema of type object, in its order."""
    return tuple(
        Column(name, _column_type(field)) for name, field in schema.get("properties", {}).items()
    )


def schema_of_columns(columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return the JSON Schema of one row with these columns; every value may be null."""
    return {
        "type": "object",
        "properties": {column.name: _SCHEMAS[column.type] for column in columns},
        "required": [column.name for column in columns],
        "additionalProperties": False,
    }


_SCHEMAS: dict[str, dict[str, Any]] = {
    "string": {"type": ["string", "null"]},
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"type": ["string", "null"], "format": "date"},
    "timestamp": {"type": ["string", "null"], "format": "date-time"},
    "json": {},
}


def _column_type(field: Any) -> ColumnType:
    if not isinstance(field, dict):
        return "json"
    declared = field.get("type")
    names = [declared] if isinstance(declared, str) else list(declared or [])
    names = [name for name in names if name != "null"]
    if len(names) != 1:
        return "json"
    if names[0] == "string":
        if field.get("format") == "date":
            return "date"
        return "timestamp" if field.get("format") == "date-time" else "string"
    simple: dict[str, ColumnType] = {
        "integer": "integer",
        "number": "number",
        "boolean": "boolean",
    }
    return simple.get(names[0], "json")
