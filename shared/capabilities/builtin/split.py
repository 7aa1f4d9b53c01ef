"""Facts of `split`: one long text becomes many rows."""

from collections.abc import Mapping
from typing import Any

from shared.capabilities.builtin.patterns import (
    LONGEST_PATTERN,
    matches_nothing_in_particular,
    pattern_problem,
)
from shared.capabilities.contract import Columns, Manifest

OWN_COLUMNS = ("text", "position")

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "minLength": 1, "description": "the column with the text"},
        "front": {
            "enum": ["keep", "drop"],
            "default": "keep",
            "description": "what becomes of text before the first heading",
        },
        "levels": {
            "type": "array",
            "minItems": 1,
            "maxItems": 8,
            "description": "headings, outermost first",
            "items": {
                "type": "object",
                "properties": {
                    "column": {"type": "string", "minLength": 1},
                    "pattern": {"type": "string", "minLength": 1, "maxLength": LONGEST_PATTERN},
                },
                "required": ["column", "pattern"],
                "additionalProperties": False,
            },
        },
        "by": {"enum": ["paragraph", "sentence", "tokens"]},
        "size": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1_000_000,
            "description": "paragraphs or sentences per row (default 1), or tokens per row",
        },
    },
    "required": ["field"],
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="split",
    version="1",
    description="Cuts a long text into many rows by headings, paragraphs, sentences or tokens.",
    params=PARAMS,
    units=("rows",),
    queue="cpu",
    runs="process",
    effects="none",
    emits="many",
    output=None,
    computed_output=True,
)


def output(inputs: Mapping[str, Columns], params: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one piece: `text`, `position` from 1 on, one column per level."""
    del inputs
    levels = [level["column"] for level in params.get("levels", ())]
    return {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "position": {"type": "integer", "minimum": 1},
            **{column: {"type": ["string", "null"]} for column in levels},
        },
        "required": [*OWN_COLUMNS, *levels],
        "additionalProperties": False,
    }


def check_params(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the schema cannot say: one way of cutting, sound patterns, distinct columns."""
    return [*_check_way(params), *_check_levels(params.get("levels", []))]


def _check_way(params: dict[str, Any]) -> list[tuple[str, str]]:
    if ("levels" in params) == ("by" in params):
        return [("", "Say either `levels` or `by`, and not both.")]
    if params.get("by") == "tokens" and "size" not in params:
        return [("/size", "Say `size`, the tokens per row, when cutting by tokens.")]
    if "by" in params and "front" in params:
        return [("/front", "`front` means something with `levels` only; leave it out.")]
    if "levels" in params and "size" in params:
        return [("/size", "`size` means something with `by` only; leave it out.")]
    return []


def _check_levels(levels: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    seen: set[str] = set(OWN_COLUMNS)
    for index, level in enumerate(levels):
        column, pattern = level["column"], level["pattern"]
        if column in seen:
            found.append((f"/levels/{index}/column", f"Column {column!r} is taken; rename it."))
        seen.add(column)
        problem = pattern_problem(pattern)
        if problem is None and matches_nothing_in_particular(pattern):
            problem = "The pattern matches an empty line, so every line would be a heading."
        if problem is not None:
            found.append((f"/levels/{index}/pattern", problem))
    return found
