"""Jobs whose every row is one call of the fake model, and what its journal must say of them."""

from collections import Counter
from typing import Any

from tests.fake_llm.process import FakeModel

LABELS: dict[str, Any] = {
    "name": "labels",
    "over": "tickets",
    "unit": {"rows": 1},
    "capability": "llm",
    "template": {"instructions": "Label the ticket.", "input": "{{ text }}"},
    "output": {
        "type": "object",
        "properties": {"label": {"type": "string"}},
        "required": ["label"],
    },
}


def model_settings(model: FakeModel) -> dict[str, str]:
    """Settings of a stack that calls the fake model."""
    return {
        "OPENAI_BASE_URL": model.base_url,
        "OPENAI_API_KEY": "sk-test",
        "APWA_MODEL": "fake",
    }


def tickets(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Rows with a marker each; `id` counts from 0, the marker from `first`."""
    return [
        {"id": number, "text": f"Ticket MARK-{first + number:05d} of today."}
        for number in range(count)
    ]


def labels_of(
    rows: list[dict[str, Any]], *then: dict[str, Any], policy: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """The body of a job that labels each row and runs the stages `then`; `more` is the stage's."""
    stages = [{**LABELS, **more}, *then]
    plan = {"version": 1, "stages": stages, "result": {"table": stages[-1]["name"]}}
    inputs = {"tickets": {"rows": rows, "key": "id"}}
    return {"plan": plan, "inputs": inputs, **({"policy": policy} if policy else {})}


def calls_by_marker(model: FakeModel) -> Counter[str]:
    """How many calls carried each row's marker, whether answered or not."""
    return Counter(marker for call in model.calls() for marker in call.own_markers)
