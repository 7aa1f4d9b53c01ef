"""Plans without their inputs, and plans whose agents have tools with external effects."""

from dataclasses import replace
from typing import Any

import pytest

from shared.contracts.plan import load_plan
from shared.plans.facts import Limits
from shared.plans.lint import lint
from shared.plans.outside import acts_outside
from shared.plans.unbound import inputs_wanted, lint_unbound
from tests.unit.plans import plan_facts
from tests.unit.plans.plan_facts import facts, llm_stage, stage
from tests.unit.plans.test_lint import BAD

NO_TABLES = facts("llm", "agent", tables={})
WRITE, READ = "mcp__notes__write", "mcp__notes__lookup"


def agent_stage(*tools: str) -> dict[str, Any]:
    return llm_stage(capability="agent", params={"tools": list(tools)})


def codes(found: Any) -> list[tuple[str, str]]:
    return [(one.code, one.pointer) for one in found if one.severity == "error"]


def test_the_inputs_a_plan_wants_are_what_it_reads_and_does_not_make() -> None:
    template = {"instructions": "As {{ house.style }}.", "input": "{{ text }}"}
    two = [stage(name="first"), llm_stage(name="second", over="first", template=template)]
    plan = plan_facts.plan(*two)
    assert inputs_wanted(plan) == ["tickets", "house"]
    assert codes(lint_unbound(plan, NO_TABLES)) == []


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({"capability": "redcat"}, ("unknown_capability", "/stages/0/capability")),
        ({"params": {}}, ("invalid_parameter", "/stages/0/params")),
        ({"over": "Tickets"}, ("unknown_table", "/stages/0/over")),
        ({"replicas": 0}, ("out_of_range", "/stages/0/replicas")),
        ({"keep": ["no_such_column"]}, None),
        ({"params": {"field": "no_such_column"}}, None),
    ],
)
def test_what_no_input_could_mend_is_found_without_them(
    changed: dict[str, Any], finding: tuple[str, str] | None
) -> None:
    plan = plan_facts.plan(stage(**changed))
    assert codes(lint_unbound(plan, NO_TABLES)) == ([finding] if finding else [])


@pytest.mark.parametrize(
    ("tools", "allowed", "findings", "outside"),
    [
        ([READ], False, [], False),
        ([READ, WRITE], False, [("external_not_permitted", "/stages/0/params/tools/1")], True),
        ([READ, WRITE], True, [], True),
        (["mcp__notes__else"], True, [("tool_not_allowed", "/stages/0/params/tools/0")], False),
    ],
)
def test_a_tool_with_external_effects_needs_the_permission_and_a_yes(
    tools: list[str], allowed: bool, findings: list[tuple[str, str]], outside: bool
) -> None:
    known = facts(
        "agent",
        limits=Limits(tools=frozenset({READ, WRITE}), allow_external=allowed),
        external_tools=frozenset({WRITE}),
    )
    plan = plan_facts.plan(agent_stage(*tools))
    assert codes(lint(plan, known)) == findings
    assert acts_outside(plan, known) is outside


@pytest.mark.parametrize("bad", BAD, ids=[one[0] for one in BAD])
def test_without_inputs_nothing_is_found_that_the_inputs_would_not_leave(bad: Any) -> None:
    _, given, known, findings = bad
    plan = load_plan(given)
    found = codes(lint_unbound(plan, replace(known, tables={})))
    assert set(found) <= {(code, pointer) for code, pointer in findings}
