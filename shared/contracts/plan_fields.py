"""Strict JSON fields for marshmallow: nothing is converted, what is written is what is meant."""

from typing import Any

from marshmallow import ValidationError, fields

from shared.contracts.names import NAME_PATTERN, RESERVED_NAMES


def table_name(value: str) -> None:
    """Refuse what cannot name a table or a stage."""
    if value in RESERVED_NAMES:
        raise ValidationError(f"`{value}` is reserved; choose another name.")
    if NAME_PATTERN.match(value) is None:
        raise ValidationError(
            "Write a name of at most 63 lower-case letters, digits and underscores, "
            "starting with a letter."
        )


class WholeNumber(fields.Field[int]):
    """A JSON integer; not true, not 1.0, not "1"."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("Write a whole number.")
        return value


class Number(fields.Field[float]):
    """A JSON number; not true, not "1.5"."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValidationError("Write a number.")
        return float(value)


class TrueOnly(fields.Field[bool]):
    """The literal true."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if value is not True:
            raise ValidationError("Write true, or leave the field out.")
        return True


class JsonObject(fields.Field[dict[str, Any]]):
    """Any JSON object, taken as it is."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Write a JSON object.")
        return value


class TableNames(fields.Field[tuple[str, ...]]):
    """One table name, or a list of them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValidationError("Write the name of a table, or a list of names.")
        if not 1 <= len(names) <= 20:
            raise ValidationError("Name between 1 and 20 tables.")
        return tuple(names)
