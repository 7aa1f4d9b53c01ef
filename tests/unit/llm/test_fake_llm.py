"""The fake endpoint itself: its answers fit, and its plans come from the prompt alone."""

import json
from typing import Any

import jsonschema_rs
import pytest

from shared.contracts.plan import load_plan
from shared.plans.lint import lint, refuses
from tests.fake_llm.answers import completion
from tests.fake_llm.faults import FaultChoice
from tests.fake_llm.fill import fill
from tests.fake_llm.planner import PLAN_MARK, plan_answer
from tests.fake_llm.prompt import Prompt
from tests.fake_llm.settings import Behaviour
from tests.unit.plans.plan_facts import TICKETS, facts

TICKETS_LINE = {
    "name": "tickets",
    "rows": 200,
    "key": "id",
    "columns": [
        {
            **column.to_json(),
            "mean_chars": TICKETS.mean_chars.get(column.name),
            "distinct": TICKETS.distinct.get(column.name, 0),
        }
        for column in TICKETS.columns
    ],
}
CAPABILITIES = [
    {"name": "llm"},
    {"name": "sql", "params": {"properties": {"query": {}}}},
    {"name": "split", "params": {"properties": {"field": {}, "levels": {}, "front": {}}}},
]
WHOLE = {"type": ["integer", "null"], "minimum": 5, "maximum": 6}
SHARE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": [1, 2]}}},
    {"type": "object", "properties": {"whole": WHOLE, "share": SHARE}},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 3},
    {"anyOf": [{"type": "null"}, {"type": "string", "format": "date"}]},
    {"$defs": {"p": {"type": "object", "properties": {"q": {"const": 3}}}}, "$ref": "#/$defs/p"},
]


def _prompt(goal: str, *more: str, tables: bool = True, capabilities: bool = True) -> str:
    lines = [PLAN_MARK, "Write a plan.", "", "GOAL", goal, ""]
    lines += ["# TABLES:", json.dumps(TICKETS_LINE)] if tables else []
    lines += ["", "CAPABILITIES", *map(json.dumps, CAPABILITIES)] if capabilities else []
    return "\n".join([*lines, *more])


def _codes(answer: str) -> set[str]:
    return set(_errors(answer))


def _errors(answer: str) -> list[str]:
    findings = lint(load_plan(json.loads(answer)), facts("llm", model_available=True))
    return [finding.code for finding in findings if refuses([finding])]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_filled_values_fit_their_schema(schema: dict[str, Any]):
    value = fill(schema, ["MARK-1"], b"digest")

    jsonschema_rs.validate(schema, value)
    assert value == fill(schema, ["MARK-1"], b"digest")


def test_texts_carry_the_markers_of_their_row():
    value = fill(SCHEMAS[0], ["MARK-1", "MARK-2"], b"digest")

    assert value["a"].startswith("MARK-1 MARK-2")


@pytest.mark.parametrize(
    ("goal", "stages"),
    [
        ("Label every ticket", 1),
        ("task parallel: look here; look there", 1),
        ("task parallel over tickets: find the tone; find the wish", 3),
        ("Label tickets with replication", 1),
        ("Sum the tickets up in a hierarchy", 3),
        ("A hierarchy over the tickets by CHAPTER and SECTION", 4),
        ("Label in several rounds", 1),
    ],
)
def test_every_kind_of_goal_gives_a_plan_the_linter_takes(goal: str, stages: int):
    answer = plan_answer(_prompt(goal))

    assert _codes(answer) == set()
    assert len(json.loads(answer)["stages"]) == stages


def test_the_plan_reads_the_longest_text_column_of_the_largest_table():
    stage = json.loads(plan_answer(_prompt("Label every ticket")))["stages"][0]

    assert (stage["over"], stage["template"]["input"]) == ("tickets", "{{ text }}")


FIVE = [
    "unknown_table", "unknown_capability", "unknown_column", "unknown_placeholder", "unused_stage",
]  # fmt: skip


def _told(codes: list[str]) -> list[str]:
    return ["FINDINGS", *(json.dumps({"code": code}) for code in codes)]


def test_a_broken_plan_has_five_linter_errors_and_a_good_one_follows_the_findings():
    goal = "A broken plan for the tickets"

    first = plan_answer(_prompt(goal))
    second = plan_answer(_prompt(goal, *_told(FIVE)))

    assert sorted(_errors(first)) == sorted(FIVE)
    assert _codes(second) == set()


@pytest.mark.parametrize("lost", FIVE)
def test_a_finding_that_did_not_come_back_is_not_mended(lost: str):
    told = _told([code for code in FIVE if code != lost])

    assert lost in _codes(plan_answer(_prompt("A broken plan for the tickets", *told)))


def test_a_prompt_that_loses_tables_or_capabilities_gets_a_plan_that_fails():
    assert "unknown_table" in _codes(plan_answer(_prompt("Label them", tables=False)))
    assert "unknown_capability" in _codes(plan_answer(_prompt("Label them", capabilities=False)))


ROUND: dict[str, Any] = {
    "round": 1, "result": "answers", "stages": ["answers"],
    "coverage": {"succeeded": 9, "failed": 3},
    "failures": [{"code": "refused", "count": 1}, {"code": "missing_context", "count": 2}],
}  # fmt: skip
ANSWERS_LINE = {
    "name": "answers", "rows": 9, "key": "id",
    "columns": [{"name": "id", "type": "integer"}, {"name": "answer", "type": "string"}],
}  # fmt: skip


def _second_round(**told: Any) -> str:
    former = {**ROUND, **told}
    kept = {name: value for name, value in former.items() if value is not None}
    more = ["TABLES", *map(json.dumps, [TICKETS_LINE, ANSWERS_LINE]), "ROUNDS", json.dumps(kept)]
    return plan_answer(_prompt("In several rounds over the tickets", *more))


def test_the_second_round_does_what_failed_again_and_is_named_after_the_largest_cluster():
    stages = json.loads(_second_round())["stages"]

    names = [stage["name"] for stage in stages]
    assert names == ["missing", "after_missing_context", "all_answers"]
    assert "3 rows failed, 2 of them" in stages[1]["template"]["instructions"]


def test_the_second_round_looks_again_where_nothing_failed():
    stages = json.loads(_second_round(coverage={"failed": 0}, failures=[]))["stages"]

    assert [(stage["name"], stage["over"]) for stage in stages] == [("second_look", "answers")]


@pytest.mark.parametrize("lost", ["coverage", "failures"])
def test_a_round_whose_coverage_or_failures_are_lost_gets_a_plan_that_fails(lost: str):
    assert "unknown_table" in _codes(_second_round(**{lost: None}))


def _planning(goal: str, *more: dict[str, Any], tools: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the message the endpoint answers to a planning request with tools."""
    functions = [{"name": name, "parameters": {"properties": {"table": {}}}} for name in tools]
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": _prompt(goal)}, *more],
        "tools": [{"type": "function", "function": function} for function in functions],
    }
    message: dict[str, Any] = completion(Prompt(body), Behaviour(), None, 1)["choices"][0][
        "message"
    ]
    return message


def test_a_section_ends_with_its_message():
    broken = {"role": "assistant", "content": plan_answer(_prompt("A broken plan"))}
    findings = {"role": "user", "content": "\n".join(_told(FIVE))}

    answer = _planning("A broken plan", broken, findings)["content"]

    assert _codes(answer) == set()
    assert json.loads(answer)["stages"][0]["template"]["instructions"] == "A broken plan"


def test_the_planner_explores_where_the_goal_says_so_and_submits_by_tool():
    tools = ("describe", "submit_plan")

    explored = _planning("Explore first, then label the tickets", tools=tools)["tool_calls"][0]
    submitted = _planning("Label the tickets", tools=tools)["tool_calls"][0]

    assert (explored["function"]["name"], submitted["function"]["name"]) == tools
    assert json.loads(explored["function"]["arguments"]) == {"table": "tickets"}
    assert _codes(submitted["function"]["arguments"]) == set()


def _call(text: str) -> Prompt:
    return Prompt({"model": "m", "messages": [{"role": "user", "content": text}]})


def test_a_fault_of_a_row_happens_as_often_as_the_row_says():
    choice = FaultChoice()
    prompt = _call("MARK-1 FAULT:500*2 FAULT:bad_json*1")

    met = [choice.choose(prompt, Behaviour(), planning=False) for _ in range(4)]

    assert met == ["500", "500", "bad_json", None]


def test_a_row_is_cut_off_by_rate_only_once_since_it_then_gets_more_tokens():
    choice, always = FaultChoice(), Behaviour(rates={"length": 1.0})

    met = [choice.choose(_call("MARK-1"), always, planning=False) for _ in range(3)]

    assert met == ["length", None, None]


def test_the_tools_a_row_wishes_are_called_with_its_arguments():
    text = 'MARK-1 TOOL:sql={"query":"SELECT 1"} and TOOL:outside.'

    assert _call(text).tool_wishes == [("sql", {"query": "SELECT 1"}), ("outside", None)]
    assert _call(json.dumps({"t": text})).tool_wishes == _call(text).tool_wishes


def test_faults_by_rate_do_not_depend_on_the_order_of_arrival():
    behaviour = Behaviour(rates={"500": 0.3, "429": 0.2}, seed=7)
    rows = [f"MARK-{number}" for number in range(500)]

    def met(order: list[str]) -> dict[str, str | None]:
        choice = FaultChoice()
        return {row: choice.choose(_call(row), behaviour, planning=False) for row in order}

    forwards, backwards = met(rows), met(rows[::-1])

    assert forwards == backwards
    assert 100 < sum(fault == "500" for fault in forwards.values()) < 200
