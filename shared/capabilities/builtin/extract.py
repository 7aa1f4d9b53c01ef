"""Facts of `extract`: named fields by pattern."""

from collections.abc import Mapping
from typing import Any

from shared.capabilities.builtin.patterns import LONGEST_PATTERN, pattern_problem
from shared.capabilities.contract import Columns, Manifest

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "minLength": 1, "description": "the column with the text"},
        "patterns": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 100,
            "propertyNames": {"minLength": 1},
            "additionalProperties": {
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_PATTERN,
            },
            "description": "output column -> regular expression; group 1, if any, is the value",
        },
    },
    "required": ["field", "patterns"],
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="extract",
    version="1",
    description="Takes the first match of each pattern out of a text.",
    params=PARAMS,
    units=("rows",),
    queue="cpu",
    runs="process",
    effects="none",
    emits="one",
    output=None,
    computed_output=True,
)


def output(inputs: Mapping[str, Columns], params: dict[str, Any]) -> dict[str, Any]:
    """Return the schema: one nullable string per pattern."""
    del inputs
    columns = list(params["patterns"])
    return {
        "type": "object",
        "properties": {column: {"type": ["string", "null"]} for column in columns},
        "required": columns,
        "additionalProperties": False,
    }


def check_params(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the patterns that cannot be used."""
    return [
        (f"/patterns/{_escaped(column)}", problem)
        for column, pattern in params["patterns"].items()
        if (problem := pattern_problem(pattern)) is not None
    ]


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
