"""Parts of plans the fake planner puts together; every name in them comes from the facts."""

from typing import Any

from tests.fake_llm.planner_facts import Facts, Table


def row_stage(name: str, over: str, facts: Facts, table: Table) -> dict[str, Any]:
    """Return a stage that asks the goal of each row's longest text."""
    column = table.longest_text() or "column_the_prompt_lost"
    instructions = facts.goal[:1_000] or "Answer."
    return {
        "name": name, "over": over, "unit": {"rows": 1}, "capability": facts.model_capability(),
        "template": {"instructions": instructions, "input": f"{{{{ {column} }}}}"},
        "output": output_of(**{table.free_name("answer"): {"type": "string"}}),
    }  # fmt: skip


def sql_stage(name: str, over: list[str], query: str, facts: Facts) -> dict[str, Any]:
    """Return a stage of one SELECT, if the prompt offers `sql` and its parameter."""
    return {
        "name": name, "over": over, "unit": {"table": True},
        "capability": facts.capability("sql", "query"), "params": {"query": query},
    }  # fmt: skip


def output_of(**fields: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an output row."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def plan_of(stages: list[dict[str, Any]], result: str) -> dict[str, Any]:
    """Return a whole plan."""
    return {"version": 1, "stages": stages, "result": {"table": result}, "then": "finish"}
