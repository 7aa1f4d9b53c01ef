"""The plans the fake planner makes of its facts, by words of the goal (see planner.py)."""

import re
from typing import Any

from tests.fake_llm.planner_facts import Facts, Table
from tests.fake_llm.planner_rounds import next_round
from tests.fake_llm.planner_stages import output_of, plan_of, row_stage, sql_stage

_LABEL = {"type": "string", "enum": ["yes", "no"]}
_BROKEN = frozenset(
    {
        "unknown_table",
        "unknown_capability",
        "unknown_column",
        "unknown_placeholder",
        "unused_stage",
    }
)


def make_plan(facts: Facts) -> dict[str, Any]:
    """Return the plan for a goal."""
    if facts.asks("never a good plan"):
        return _broken(facts, frozenset())
    if facts.asks("broken plan") and not facts.findings >= _BROKEN:
        return _broken(facts, facts.findings)
    if facts.asks("task parallel"):
        return _task_parallel(facts)
    if facts.asks("replication"):
        return _replication(facts)
    if facts.asks("hierarchy"):
        return _hierarchy(facts)
    if facts.asks("repeats itself"):
        return {**_data_parallel(facts), "then": "replan"}
    if facts.asks("several rounds"):
        return next_round(facts) if facts.rounds else {**_data_parallel(facts), "then": "replan"}
    return _data_parallel(facts)


def _data_parallel(facts: Facts) -> dict[str, Any]:
    table = facts.table()
    return plan_of([row_stage("answers", table.name, facts, table)], "answers")


def _task_parallel(facts: Facts) -> dict[str, Any]:
    said = facts.goal.partition(":")[2] or facts.goal
    tasks = [task.strip(" .") for task in said.split(";") if task.strip(" .")]
    named = [table for table in facts.named() if table.key]
    if named:
        return _tasks_over(named[0], tasks, facts)
    stage = {
        "name": "done_tasks", "over": "tasks", "unit": {"rows": 1},
        "capability": facts.model_capability(), "keep": ["task"],
        "template": {"instructions": "Do the task.", "input": "{{ task }}"},
        "output": output_of(result={"type": "string"}),
    }  # fmt: skip
    plan = plan_of([stage], "done_tasks")
    return {**plan, "tables": {"tasks": [{"task": task} for task in tasks]}}


def _tasks_over(table: Table, tasks: list[str], facts: Facts) -> dict[str, Any]:
    """Return a stage for each task, all over one table, and one that joins their columns."""
    stages = []
    for number, task in enumerate(tasks, start=1):
        stage = row_stage(f"task_{number}", table.name, facts, table)
        stage["template"]["instructions"] = task
        stage["output"] = output_of(**{table.free_name(f"answer_{number}"): {"type": "string"}})
        stages.append(stage)
    names = [stage["name"] for stage in stages]
    columns = [next(iter(stage["output"]["properties"])) for stage in stages]
    picked = [f"{name}.{column}" for name, column in zip(names, columns, strict=True)]
    joined = [f"JOIN {name} ON {name}.{table.key} = {names[0]}.{table.key}" for name in names[1:]]
    first = f"{names[0]}.{table.key}"
    query = f"SELECT {first}, {', '.join(picked)} FROM {names[0]} {' '.join(joined)}"  # noqa: S608 - of a plan
    return plan_of([*stages, sql_stage("together", names, query, facts)], "together")


def _replication(facts: Facts) -> dict[str, Any]:
    table = facts.table()
    stage = row_stage("votes", table.name, facts, table)
    stage["output"] = output_of(**{table.free_name("label"): _LABEL})
    return plan_of([{**stage, "replicas": 3, "agree": "majority"}], "votes")


def _hierarchy(facts: Facts) -> dict[str, Any]:
    table = facts.table()
    headings = re.findall(r"\b[A-Z]{4,}\b", facts.goal)
    if len(headings) == 2:
        return _levels_of_text(table, headings, facts)
    group = table.group_column()
    summary = table.free_name("summary")
    first = row_stage("row_summaries", table.name, facts, table)
    first["output"] = output_of(**{summary: {"type": "string"}})
    first["keep"] = [group] if group else []
    unit = {"group_by": [group]} if group else {"rows": 10}
    stages = [first]
    stages.append(_summing_up("group_summaries", "row_summaries", unit, summary, facts))
    stages.append(_summing_up("whole_summary", "group_summaries", {"table": True}, summary, facts))
    return plan_of(stages, "whole_summary")


def _levels_of_text(table: Table, headings: list[str], facts: Facts) -> dict[str, Any]:
    """Return: split at two kinds of headings, each section, each chapter, the whole."""
    outer, inner = (word.lower() for word in headings)
    cut = {
        "name": f"{inner}s", "over": table.name, "unit": {"rows": 1},
        "capability": facts.capability("split", "field", "levels", "front"),
        "params": {
            "field": table.longest_text() or "column_the_prompt_lost", "front": "drop",
            "levels": [
                {"column": word.lower(), "pattern": rf"^{word} .+"} for word in headings
            ],
        },
    }  # fmt: skip
    first = {
        "name": f"{inner}_summaries", "over": f"{inner}s", "unit": {"rows": 1},
        "capability": facts.model_capability(), "keep": [outer, inner, "position"],
        "template": {"instructions": "Sum up.", "input": "{{ text }}"},
        "output": output_of(summary={"type": "string"}),
    }  # fmt: skip
    groups = {"group_by": [outer], "order_by": ["position"]}
    second = _summing_up(f"{outer}_summaries", f"{inner}_summaries", groups, "summary", facts)
    whole = _summing_up("whole_summary", f"{outer}_summaries", {"table": True}, "summary", facts)
    return plan_of([cut, first, second, whole], "whole_summary")


def _summing_up(
    name: str, over: str, unit: dict[str, Any], column: str, facts: Facts
) -> dict[str, Any]:
    return {
        "name": name, "over": over, "unit": unit, "capability": facts.model_capability(),
        "template": {"instructions": "Sum up.", "input": f"{{{{ rows.{column} }}}}"},
        "output": output_of(**{column: {"type": "string"}}),
    }  # fmt: skip


def _broken(facts: Facts, told: frozenset[str]) -> dict[str, Any]:
    """Return a plan of the right shape with the things the linter refuses and did not tell of."""
    table = facts.table()
    lost = row_stage("lost", table.name, facts, table)
    if "unknown_table" not in told:
        lost["over"] = "no_such_table"
    if "unknown_capability" not in told:
        lost["capability"] = "teleport"
    answers = row_stage("answers", table.name, facts, table)
    if "unknown_column" not in told:
        answers["keep"] = ["no_such_column"]
    if "unknown_placeholder" not in told:
        answers["template"] = {"instructions": "Answer.", "input": "{{ no_such_placeholder }}"}
    used = told >= {"unused_stage", "unknown_table", "unknown_capability"}
    return plan_of([answers] if used else [lost, answers], "answers")  # nothing uses `lost`
