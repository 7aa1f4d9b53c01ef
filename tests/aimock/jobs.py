"""Jobs of these tests: rows with a marker each, and plans of one stage."""

from typing import Any

OUTPUT = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "score": {"type": "integer"}},
    "required": ["label", "score"],
}


def marker(number: int) -> str:
    return f"MARK-{number:04d}"


def tickets(count: int) -> dict[str, Any]:
    rows = [
        {"id": number, "text": f"The printer {marker(number)} is out of paper."}
        for number in range(count)
    ]
    return {"tickets": {"rows": rows, "key": "id"}}


def one_stage(capability: str = "llm", **stage: Any) -> dict[str, Any]:
    """Return a plan that labels every ticket."""
    made = {
        "name": "labels",
        "over": "tickets",
        "unit": {"rows": 1},
        "capability": capability,
        "template": {"instructions": "Label the ticket.", "input": "{{ text }}"},
        "output": OUTPUT,
        **stage,
    }
    return {
        "version": 1,
        "brief": "Labels are short.",
        "stages": [made],
        "result": {"table": "labels"},
    }


def answer(number: int) -> dict[str, Any]:
    """Return what the fixtures answer for a row, and what must come out for it."""
    return {"label": f"label of {number}", "score": number}
