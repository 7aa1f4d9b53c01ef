"""Facts as plain data: tables, the real manifests of the built-ins, an `llm` where asked for."""

import json
import re
from pathlib import Path
from typing import Any

from shared.capabilities import builtin
from shared.capabilities.contract import Manifest
from shared.contracts.plan import load_plan
from shared.domain.columns import Column
from shared.domain.plan import Plan
from shared.plans.facts import Limits, OutputProblem, PlanFacts, TableFacts
from shared.tables.sql import SqlRefused

DOCS = Path(__file__).parents[3] / "docs" / "plans.md"

TICKETS = TableFacts(
    columns=(
        Column("id", "integer"),
        Column("status", "string"),
        Column("text", "string"),
        Column("tags", "json"),
    ),
    rows=200,
    key="id",
    distinct={"status": 4},
    mean_chars={"id": 3, "status": 6, "text": 300, "tags": 20},
)
PLAY = TableFacts(
    columns=(Column("name", "string"), Column("text", "string")),
    rows=1,
    mean_chars={"name": 8, "text": 140_000},
)
POST = Manifest(
    name="post_comment",
    version="1",
    description="Writes a comment somewhere.",
    params={"type": "object", "properties": {}, "additionalProperties": False},
    units=("rows",),
    queue="cpu",
    runs="loop",
    effects="external",
    emits="one",
    output={"type": "object", "properties": {"url": {"type": "string"}}},
    computed_output=False,
)


def facts(*models: str, tables: dict[str, TableFacts] | None = None, **changes: Any) -> PlanFacts:
    """Facts over tickets and a play; `models` names model-run capabilities that are there."""
    everything = builtin.manifests()
    here = {name: one for name, one in everything.items() if one.queue == "cpu"}
    here |= {name: everything[name] for name in models} | {"post_comment": POST}
    changes.setdefault("limits", Limits())
    return PlanFacts(
        tables={"tickets": TICKETS, "play": PLAY} if tables is None else tables,
        capabilities=here,
        output_of=output_of,
        check_params=builtin.check_params,
        **changes,
    )


def output_of(name: str, inputs: Any, params: dict[str, Any]) -> dict[str, Any] | OutputProblem:
    try:
        schema = builtin.output_schema(name, inputs, params)
    except SqlRefused as refusal:
        return OutputProblem(refusal.code, refusal.detail)
    assert schema is not None
    return schema


def stage(**changes: Any) -> dict[str, Any]:
    """A sound stage over the tickets, with changes; a change to None removes the field."""
    sound = {
        "name": "redacted",
        "over": "tickets",
        "unit": {"rows": 1},
        "capability": "redact",
        "params": {"field": "text"},
    }
    return {name: value for name, value in (sound | changes).items() if value is not None}


def llm_stage(**changes: Any) -> dict[str, Any]:
    output = {"type": "object", "properties": {"label": {"type": "string"}}}
    template = {"instructions": "Label it.", "input": "{{ text }}"}
    return stage(
        **({"capability": "llm", "params": {}, "template": template, "output": output} | changes)
    )


def document(*stages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A plan document whose result is the last stage, unless said otherwise."""
    return {
        "version": 1,
        "stages": list(stages),
        "result": {"table": stages[-1]["name"]},
    } | changes


def plan(*stages: dict[str, Any], **changes: Any) -> Plan:
    return load_plan(document(*stages, **changes))


def example_document() -> dict[str, Any]:
    """The example of docs/plans.md, so that it cannot go stale."""
    block = re.search(r"```json\n(.+?)```", DOCS.read_text(), re.DOTALL)
    assert block is not None
    example: dict[str, Any] = json.loads(block[1])
    return example
