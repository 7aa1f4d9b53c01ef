"""The engine for a goal that one call can answer: a text or nothing goes in, one row comes out."""

from typing import Any

from services.planner.engines import NotPlanned, Planned
from services.planner.planning_task import PlanningTask
from shared.prompts.worker import direct_instructions

ANSWER: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
}
NO_TEXT = "(No text comes with the request.)"


def plan(task: PlanningTask) -> Planned | NotPlanned:
    """Return a plan of one `llm` stage over one row; refuses tables, which need a plan."""
    tables = sorted(set(task.facts.tables) - task.texts)
    if tables:
        detail = (
            f"`planning: direct` is one call over a text; `{tables[0]}` is a table. "
            "Use `planning: model`."
        )
        return NotPlanned("direct_needs_text", detail)
    return Planned("direct", _document(task.job.goal or "", sorted(task.texts), task.job.output))


def _document(goal: str, texts: list[str], output: dict[str, Any] | None) -> dict[str, Any]:
    asked = direct_instructions(goal)
    # a goal may hold what a template would read as a placeholder; the brief is taken as it is
    verbatim = "{{" in asked
    stage = {
        "name": "answer" if "answer" not in texts else "direct_answer",
        "over": texts[0] if texts else "request",
        "unit": {"rows": 1},
        "capability": "llm",
        "template": {
            "instructions": "Do what the brief says." if verbatim else asked,
            "input": _input(texts),
        },
        "output": output or ANSWER,
    }
    return {
        "version": 1,
        "brief": asked if verbatim else "",
        "tables": {} if texts else {"request": [{"text": NO_TEXT}]},
        "stages": [stage],
        "result": {"table": stage["name"]},
        "then": "finish",
    }


def _input(texts: list[str]) -> str:
    if len(texts) < 2:
        return "{{ text }}"
    others = [f"{name}:\n{{{{ {name}.text }}}}" for name in texts[1:]]
    return "\n\n".join([f"{texts[0]}:\n{{{{ text }}}}", *others])
