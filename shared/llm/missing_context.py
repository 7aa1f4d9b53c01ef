"""The form in which a model may say that its unit needs other rows. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.llm.structured import Validator

ANSWER, MISSING = "answer", "missing_context"
SHOWN = 500  # characters of what the model says it needs


def may_ask(params: Mapping[str, Any]) -> bool:
    """Return True where the stage lets its units ask."""
    return params.get("may_ask_for_context") is True


def with_missing_context(output: dict[str, Any]) -> dict[str, Any]:
    """Return the schema asked for: ``{"answer": output or null, "missing_context": text or null}``.

    Both are always there, since strict mode knows no optional property and no branches at the
    root.
    """
    row = {name: value for name, value in output.items() if name != "$defs"}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            ANSWER: {"anyOf": [row, {"type": "null"}]},
            MISSING: {"type": ["string", "null"]},
        },
        "required": [ANSWER, MISSING],
        "additionalProperties": False,
    }
    if "$defs" in output:
        schema["$defs"] = output["$defs"]  # `#/$defs/...` means the root
    return schema


def answer_or_missing(fits: Validator) -> Validator:
    """Return what checks such a value; `fits` checks the answer. An answer beats a wish."""

    def first_problem(value: Any) -> str | None:
        if not isinstance(value, dict) or ANSWER not in value:
            return f"at /: an object with `{ANSWER}` and `{MISSING}` is needed"
        if value[ANSWER] is not None:
            problem = fits(value[ANSWER])
            return problem and f"in `{ANSWER}`, {problem}"
        if missing_context(value) is None:
            return f"`{ANSWER}` is null, and `{MISSING}` does not say which rows are needed"
        return None

    return first_problem


def missing_context(value: Mapping[str, Any]) -> str | None:
    """Return what a checked value asks for; None where it holds an answer."""
    said = value.get(MISSING)
    if value[ANSWER] is not None or not isinstance(said, str):
        return None
    return " ".join(said.split())[:SHOWN] or None
