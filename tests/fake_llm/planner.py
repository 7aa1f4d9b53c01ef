"""The fake endpoint as planner: a plan made ONLY of what it parses out of the prompt.

A prompt that loses its tables, columns or capabilities gets a plan that fails the linter, so the
test that uses it fails. This file is the one place to touch when the real prompt changes.

What is parsed
--------------
A request is a planning request when a line of any message holds `PLAN_MARK`.

A section begins with a line that is nothing but a heading: the words below in capitals, ``#``
signs before and a colon after allowed. It ends at the next line of that form (of any such words).
The last section of a name counts.

``TABLES``        one JSON object per line:
                  ``{"name": "tickets", "rows": 200, "key": "id" | null,
                  "columns": [{"name": "text", "type": "string", "mean_chars": 300,
                  "distinct": 4}]}``; `mean_chars` and `distinct` may be left out.
``CAPABILITIES``  one JSON object per line with at least ``{"name": "llm"}``; what is planned with
                  `split` and `sql` needs their parameters as well:
                  ``{"name": "sql", "params": {"properties": {"query": ...}}}``.
``GOAL``          the text of the goal, as it is.
``FINDINGS``      the linter's findings on the plan answered before, one JSON object per line:
                  ``{"code": "unknown_table"}``.
``ROUNDS``        one JSON object per line and round before this one:
                  ``{"round": 1, "result": "answers", "stages": ["answers"],
                  "coverage": {"succeeded": 9, "failed": 1},
                  "failures": [{"code": "missing_context", "count": 1}]}``.

Lines of a section that are no JSON objects are passed over, so rules may be explained there.

What is planned, by words of the goal
-------------------------------------
============================ ==========================================================
task parallel                tasks split at ``;``: a literal table with a row for each and one
                             stage, or, where the goal names a table with a key, a stage for each
                             task over that table and `sql` that joins them
replication                  one stage, 3 replicas, majority over a label
hierarchy                    three levels: rows, groups (or tens of rows), the whole; with two
                             words in capitals (CHAPTER, SECTION) `split` at such headings first,
                             then sections, chapters, the whole
several rounds               ``then: replan`` in the first round; the second does again what the
                             coverage says is missing, named after the largest failure cluster
                             (`planner_rounds`)
repeats itself               ``then: replan`` and the same stages in every round
broken plan                  first a plan with five linter errors; then those ``FINDINGS`` tells
                             of are mended, and no others
never a good plan            the broken one always
no json                      prose
TOOL:name={...}              calls the tools the goal wishes, in order, whether offered or not
explore first                calls the tool `describe` for the table once, where it is offered
anything else                one `llm` stage over the largest table, by its longest text column
============================ ==========================================================

The plan is the answer's text, or the arguments of the tool `submit_plan` where that is offered
(under ``plan`` if that is the tool's only parameter).
"""

import json
import re
from typing import Any

from tests.fake_llm.planner_facts import Facts, Table
from tests.fake_llm.planner_plans import make_plan
from tests.fake_llm.prompt import TOOL

PLAN_MARK = "APWA PLAN CONTRACT"
HEADINGS = ("TABLES", "CAPABILITIES", "GOAL", "FINDINGS", "ROUNDS")
_HEADING = re.compile(r"^\s*#*\s*([A-Z][A-Z ]{2,40}?)\s*:?\s*$")


def is_planning(text: str) -> bool:
    """Return True for a planning request."""
    return PLAN_MARK in text


def plan_answer(text: str) -> str:
    """Return what the fake planner answers to a prompt: mostly a plan as JSON."""
    facts = parse_prompt(text)
    if facts.asks("no json"):
        return "I would first split the table and then look at each part."
    return json.dumps(make_plan(facts))


def planning_call(
    text: str, offered: list[dict[str, Any]], done: int
) -> tuple[str, dict[str, Any]] | None:
    """Return the tool the fake planner calls and its arguments; None when it answers in words.

    `offered` are the functions of the request, `done` counts the calls made before.
    """
    facts = parse_prompt(text)
    tools = {tool["name"]: tool.get("parameters", {}).get("properties", {}) for tool in offered}
    if done < len(wishes := TOOL.findall(facts.goal)):
        name, arguments = wishes[done]
        return name, json.loads(arguments or "{}")
    if facts.asks("explore first") and "describe" in tools and not done:
        parameter = next(iter(tools["describe"]), "table")
        return "describe", {parameter: facts.table().name}
    if facts.asks("no json") or "submit_plan" not in tools:
        return None
    plan = make_plan(facts)
    return "submit_plan", {"plan": plan} if list(tools["submit_plan"]) == ["plan"] else plan


def parse_prompt(text: str) -> Facts:
    """Read the sections of a planning prompt."""
    sections = _sections(text)
    tables = [
        Table(item["name"], int(item.get("rows") or 0), item.get("columns", []), item.get("key"))
        for item in _objects(sections.get("TABLES", []))
        if "name" in item
    ]
    capabilities = [item for item in _objects(sections.get("CAPABILITIES", [])) if "name" in item]
    findings = _objects(sections.get("FINDINGS", []))
    return Facts(
        goal="\n".join(sections.get("GOAL", [])).strip(),
        tables=tables,
        capabilities=[item["name"] for item in capabilities],
        has_findings="FINDINGS" in sections,
        rounds=_objects(sections.get("ROUNDS", [])),
        findings=frozenset(str(item["code"]) for item in findings if "code" in item),
        parameters={item["name"]: _parameters(item) for item in capabilities},
    )


def _parameters(capability: dict[str, Any]) -> frozenset[str]:
    return frozenset(capability.get("params", {}).get("properties", {}))


def _sections(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading:
            current = []
            if heading.group(1) in HEADINGS:
                found[heading.group(1)] = current
        else:
            current.append(line)
    return found


def _objects(lines: list[str]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        try:
            value = json.loads(line.strip().removeprefix("- "))
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
