"""The plans the fake planner makes of its facts, by words of the goal (see planner.py)."""

from typing import Any

from tests.fake_llm.planner_facts import Facts, Table

_LABEL = {"type": "string", "enum": ["yes", "no"]}


def make_plan(facts: Facts) -> dict[str, Any]:
    """Return the plan for a goal."""
    if facts.asks("never a good plan") or (facts.asks("broken plan") and not facts.has_findings):
        return _broken(facts)
    if facts.asks("task parallel"):
        return _task_parallel(facts)
    if facts.asks("replication"):
        return _replication(facts)
    if facts.asks("hierarchy"):
        return _hierarchy(facts)
    if facts.asks("repeats itself"):
        return {**_data_parallel(facts), "then": "replan"}
    if facts.asks("several rounds"):
        return _next_round(facts)
    return _data_parallel(facts)


def _data_parallel(facts: Facts) -> dict[str, Any]:
    table = facts.table()
    return _plan([_row_stage("answers", table.name, facts, table)], "answers")


def _task_parallel(facts: Facts) -> dict[str, Any]:
    said = facts.goal.partition(":")[2] or facts.goal
    tasks = [task.strip() for task in said.split(";") if task.strip()]
    stage = {
        "name": "done_tasks", "over": "tasks", "unit": {"rows": 1},
        "capability": facts.model_capability(), "keep": ["task"],
        "template": {"instructions": "Do the task.", "input": "{{ task }}"},
        "output": _output(result={"type": "string"}),
    }  # fmt: skip
    plan = _plan([stage], "done_tasks")
    return {**plan, "tables": {"tasks": [{"task": task} for task in tasks]}}


def _replication(facts: Facts) -> dict[str, Any]:
    table = facts.table()
    stage = _row_stage("votes", table.name, facts, table)
    stage["output"] = _output(**{table.free_name("label"): _LABEL})
    return _plan([{**stage, "replicas": 3, "agree": "majority"}], "votes")


def _hierarchy(facts: Facts) -> dict[str, Any]:
    table = facts.table()
    group = table.group_column()
    summary = table.free_name("summary")
    first = _row_stage("row_summaries", table.name, facts, table)
    first["output"] = _output(**{summary: {"type": "string"}})
    first["keep"] = [group] if group else []
    unit = {"group_by": [group]} if group else {"rows": 10}
    levels = [("group_summaries", "row_summaries", unit)]
    levels.append(("whole_summary", "group_summaries", {"table": True}))
    stages = [first]
    for name, over, unit_of_level in levels:
        stage = {
            "name": name, "over": over, "unit": unit_of_level,
            "capability": facts.model_capability(),
            "template": {"instructions": "Sum up.", "input": f"{{{{ rows.{summary} }}}}"},
            "output": _output(**{summary: {"type": "string"}}),
        }  # fmt: skip
        stages.append(stage)
    return _plan(stages, "whole_summary")


def _next_round(facts: Facts) -> dict[str, Any]:
    if not facts.rounds:
        return {**_data_parallel(facts), "then": "replan"}
    last = facts.rounds[-1]
    clusters = sorted(last.get("failures", []), key=lambda item: -item["count"])
    code = clusters[0]["code"] if clusters else "nothing_failed"
    former = last["result"]
    known = next((item for item in facts.tables if item.name == former), None)
    table = known or Table(former, 0, [{"name": "answer", "type": "string"}])
    stage = _row_stage(f"after_{code}", former, facts, table)
    stage["output"] = _output(**{table.free_name("second_answer"): {"type": "string"}})
    return _plan([stage], stage["name"])


def _broken(facts: Facts) -> dict[str, Any]:
    """Return a plan of the right shape with five things the linter refuses."""
    table = facts.table()
    lost = {**_row_stage("lost", "no_such_table", facts, table), "capability": "teleport"}
    blank = {**_row_stage("answers", table.name, facts, table), "keep": ["no_such_column"]}
    blank["template"] = {"instructions": "Answer.", "input": "{{ no_such_placeholder }}"}
    return _plan([lost, blank], "answers")  # nothing uses `lost`


def _row_stage(name: str, over: str, facts: Facts, table: Table) -> dict[str, Any]:
    column = table.longest_text() or "column_the_prompt_lost"
    instructions = facts.goal[:1_000] or "Answer."
    return {
        "name": name, "over": over, "unit": {"rows": 1}, "capability": facts.model_capability(),
        "template": {"instructions": instructions, "input": f"{{{{ {column} }}}}"},
        "output": _output(**{table.free_name("answer"): {"type": "string"}}),
    }  # fmt: skip


def _output(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields)}


def _plan(stages: list[dict[str, Any]], result: str) -> dict[str, Any]:
    return {"version": 1, "stages": stages, "result": {"table": result}, "then": "finish"}
