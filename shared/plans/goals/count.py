"""Count rows, all of them or per value of columns."""

import re
from typing import Any

from shared.plans.facts import PlanFacts
from shared.plans.goals.inputs import find_column, find_source, unknown_column
from shared.plans.goals.refusal import RulesRefusal
from shared.plans.goals.words import free_name, items, quoted
from shared.plans.goals.write import plan_document, query

_GOAL = re.compile(
    r"(?:count|how many|tally|group|number of|the number of) (?P<what>.+?)"
    r"(?: are there| there are| do we have| are in each| are there in total| in total)?"
    r"(?: (?:by|per|for each|for every|grouped by|in each|of each|with each) (?P<columns>.+))?"
)


def write_count(goal: str, facts: PlanFacts) -> dict[str, Any] | RulesRefusal | None:
    """Return the plan for a plain goal, None when it is not about counting."""
    found = _GOAL.fullmatch(goal)
    if found is None or (goal.startswith("group") and found["columns"] is None):
        return None
    source = find_source(found["what"], facts)
    if source is None or isinstance(source, RulesRefusal):
        return source
    if source.named:
        return None  # counting the values of a column is another question
    columns = []
    for phrase in items(found["columns"] or ""):
        column = find_column(phrase, source.table)
        if column is None:
            return unknown_column(phrase, source)
        if column.type == "json":
            detail = f"`{column.name}` holds JSON and cannot be grouped by; name another column."
            return RulesRefusal("json_column", detail)
        columns.append(column.name)
    name = free_name("counts", facts.tables)
    return plan_document([query(name, [source.name], _sql(source.name, columns))], name)


def _sql(table: str, columns: list[str]) -> str:
    count = quoted(free_name("count", [column.lower() for column in columns]))
    if not columns:
        return f"SELECT count(*) AS {count} FROM {quoted(table)}"  # noqa: S608 - quoted
    listed = ", ".join(quoted(column) for column in columns)
    counted = f"SELECT {listed}, count(*) AS {count} FROM {quoted(table)}"  # noqa: S608 - quoted
    return f"{counted} GROUP BY {listed} ORDER BY {count} DESC, {listed}"
