"""Strict marshmallow fields: JSON types are not converted, unknown fields are refused."""

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from shared.actions.refusals import FieldProblem, Invalid
from shared.contracts.findings import json_pointer
from shared.contracts.json_values import value_findings


class StrictSchema(Schema):
    """A JSON object whose fields are all known."""

    error_messages = {  # noqa: RUF012 - marshmallow's own class attribute
        "unknown": "There is no such field; remove it.",
        "type": "Write a JSON object.",
    }


class Text(fields.String):
    """A JSON string that Postgres can hold, neither empty nor blank unless allowed."""

    def __init__(self, longest: int, *, blank: bool = False, **rest: Any) -> None:
        super().__init__(validate=validate.Length(max=longest), **rest)
        self.blank = blank

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> str:
        text: str = super()._deserialize(value, *rest, **more)
        findings = value_findings(text)
        if findings:
            raise ValidationError(findings[0].detail)
        if not self.blank and not text.strip():
            raise ValidationError("Write something; it is empty.")
        return text


class Fraction(fields.Field[float]):
    """A JSON number within bounds; not true, not "0.5"."""

    def __init__(self, low: float, high: float | None, **rest: Any) -> None:
        super().__init__(validate=validate.Range(low, high), **rest)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValidationError("Write a number.")
        try:
            return float(value)
        except OverflowError as error:
            raise ValidationError("This number is too large.") from error


class Flag(fields.Field[bool]):
    """true or false, nothing that looks like them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Write true or false.")
        return value


class AnyObject(fields.Field[dict[str, Any]]):
    """Any JSON object of values that can be stored."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Write a JSON object.")
        findings = value_findings(value)
        if findings:
            raise ValidationError(_nested(findings[0].pointer, findings[0].detail))
        return value


class Named(fields.Field[dict[str, Any]]):
    """A JSON object of alike members: names are checked one by one, and so are values."""

    def __init__(
        self, check_name: Callable[[str], None], member: fields.Field[Any], most: int, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.check_name, self.member, self.most = check_name, member, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Write a JSON object.")
        if len(value) > self.most:
            raise ValidationError(f"Give at most {self.most}.")
        found, wrong = {}, {}
        for name, item in value.items():
            try:
                self.check_name(name)
                found[name] = self.member.deserialize(item, attr, data, **more)
            except ValidationError as error:
                wrong[name] = error.messages
        if wrong:
            raise ValidationError(wrong)
        return found


class Choice(fields.String):
    """One of some words."""

    def __init__(self, now: tuple[str, ...], **rest: Any) -> None:
        super().__init__(**rest)
        self.now = now

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> str:
        text: str = super()._deserialize(value, *rest, **more)
        if text not in self.now:
            raise ValidationError(f"Choose one of {', '.join(self.now)}.")
        return text


def loaded(schema: Schema, document: Any) -> dict[str, Any]:
    """Return what a schema makes of a JSON value; raise Invalid with pointers."""
    try:
        return dict(schema.load(document))
    except ValidationError as error:
        raise Invalid(problems_of_messages(error.messages)) from error


def problems_of_messages(messages: Any, path: tuple[str | int, ...] = ()) -> list[FieldProblem]:
    """Return marshmallow's nested messages as problems with JSON Pointers."""
    if isinstance(messages, dict):
        return [
            problem
            for name, inner in messages.items()
            for problem in problems_of_messages(inner, path if name == "_schema" else (*path, name))
        ]
    return [FieldProblem(json_pointer(*path), str(text)) for text in messages]


def _nested(pointer: str, detail: str) -> Any:
    """Return the message at a pointer in marshmallow's nested form."""
    messages: Any = [detail]
    for part in reversed(pointer.split("/")[1:]):
        messages = {part.replace("~1", "/").replace("~0", "~"): messages}
    return messages
