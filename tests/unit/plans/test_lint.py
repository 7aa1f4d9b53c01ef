from dataclasses import replace
from typing import Any

import pytest

from shared.contracts.findings import Finding
from shared.contracts.plan import load_plan
from shared.plans.facts import Limits, ModelPrice, PlanFacts
from shared.plans.lint import CODES, lint, refuses
from tests.unit.plans.plan_facts import (
    TICKETS,
    document,
    example_document,
    facts,
    llm_stage,
    plan,
    stage,
)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.pointer) for finding in findings]


def sql(query: str, **changes: Any) -> dict[str, Any]:
    return stage(
        **({"capability": "sql", "unit": {"table": True}, "params": {"query": query}} | changes)
    )


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


HERE = facts("llm", "agent")
NO_MODEL = facts()
TEXT = {"type": "string"}

# name, plan, facts, the findings: each exactly these and no others
BAD: list[tuple[str, dict[str, Any], PlanFacts, list[tuple[str, str]]]] = [
    (
        "unknown input",
        document(stage(over="tikets")),
        HERE,
        [("unknown_table", "/stages/0/over")],
    ),
    (
        "unknown input in a list",
        document(sql("SELECT 1 AS a", over=["tickets", "nothing"])),
        HERE,
        [("unknown_table", "/stages/0/over/1")],
    ),
    (
        "unknown field column",
        document(stage(params={"field": "body"})),
        HERE,
        [("unknown_column", "/stages/0/params/field")],
    ),
    (
        "unknown kept column",
        document(stage(keep=["status", "color"])),
        HERE,
        [("unknown_column", "/stages/0/keep/1")],
    ),
    (
        "unknown group",
        document(stage(capability="summarize", unit={"group_by": ["color"]})),
        HERE,
        [("unknown_column", "/stages/0/unit/group_by/0")],
    ),
    (
        "unknown order",
        document(stage(capability="summarize", unit={"group_by": ["status"], "order_by": ["x"]})),
        HERE,
        [("unknown_column", "/stages/0/unit/order_by/0")],
    ),
    (
        "grouped by json",
        document(stage(capability="summarize", unit={"group_by": ["tags"]})),
        HERE,
        [("json_column", "/stages/0/unit/group_by/0")],
    ),
    (
        "ordered by json",
        document(
            stage(capability="summarize", unit={"group_by": ["status"], "order_by": ["tags"]})
        ),
        HERE,
        [("json_column", "/stages/0/unit/order_by/0")],
    ),
    (
        "misspelt capability",
        document(stage(capability="redcat")),
        HERE,
        [("unknown_capability", "/stages/0/capability")],
    ),
    (
        "a capability of another deployment",
        document(stage(capability="fetch", params={"field": "text"})),
        HERE,
        [("capability_unavailable", "/stages/0/capability")],
    ),
    (
        "a judge without a model",
        document(stage(replicas=3, agree="judge")),
        NO_MODEL,
        [("capability_unavailable", "/stages/0/agree")],
    ),
    (
        "replan without a model",
        document(stage(), then="replan"),
        NO_MODEL,
        [("capability_unavailable", "/then")],
    ),
    (
        "misspelt parameter",
        document(stage(params={"field": "text", "klasses": []})),
        HERE,
        [("unknown_parameter", "/stages/0/params/klasses")],
    ),
    (
        "wrong parameter",
        document(stage(params={"field": "text", "classes": ["shoes"]})),
        HERE,
        [("invalid_parameter", "/stages/0/params/classes/0")],
    ),
    (
        "missing parameter",
        document(stage(params={})),
        HERE,
        [("invalid_parameter", "/stages/0/params")],
    ),
    (
        "a parameter only the built-in can judge",
        document(stage(capability="extract", params={"field": "text", "patterns": {"a": "("}})),
        HERE,
        [("invalid_parameter", "/stages/0/params/patterns/a")],
    ),
    (
        "redaction of groups",
        document(stage(unit={"group_by": ["status"]})),
        HERE,
        [("unit_not_supported", "/stages/0/unit")],
    ),
    (
        "sql over rows",
        document(sql("SELECT 1 AS a", unit={"rows": 1})),
        HERE,
        [("unit_not_supported", "/stages/0/unit")],
    ),
    (
        "two stages of one name",
        document(stage(), stage()),
        HERE,
        [("duplicate_name", "/stages/1/name")],
    ),
    (
        "a stage named like an input",
        document(stage(name="tickets", over="play")),
        HERE,
        [("duplicate_name", "/stages/0/name")],
    ),
    (
        "a literal table named like an input",
        document(stage(), tables={"play": [{"a": 1}]}),
        HERE,
        [("duplicate_name", "/tables/play")],
    ),
    (
        "an input named twice",
        document(sql("SELECT 1 AS a", over=["tickets", "tickets"])),
        HERE,
        [("duplicate_name", "/stages/0/over/1")],
    ),
    (
        "a literal table without rows",
        document(stage(), tables={"tasks": []}),
        HERE,
        [("empty_table", "/tables/tasks")],
    ),
    (
        "a literal table without columns",
        document(stage(), tables={"tasks": [{}]}),
        HERE,
        [("empty_table", "/tables/tasks")],
    ),
    (
        "a cycle of two",
        document(stage(name="a", over="b"), stage(name="b", over="a")),
        HERE,
        [("cyclic", "/stages/0/over"), ("cyclic", "/stages/1/over")],
    ),
    (
        "a cycle through a template",
        document(llm_stage(name="a", template={"input": "{{ text }} {{ a.label }}"})),
        HERE,
        [("cyclic", "/stages/0/over"), ("not_one_row", "/stages/0/template/input")],
    ),
    (
        "a placeholder without column",
        document(llm_stage(template={"input": "{{ body }}"})),
        HERE,
        [("unknown_placeholder", "/stages/0/template/input")],
    ),
    (
        "a placeholder without table",
        document(llm_stage(template={"input": "{{ text }} {{ style.tone }}"})),
        HERE,
        [("unknown_placeholder", "/stages/0/template/input")],
    ),
    (
        "a scalar in a group",
        document(llm_stage(unit={"group_by": ["status"]})),
        HERE,
        [("unknown_placeholder", "/stages/0/template/input")],
    ),
    (
        "a row in the instructions",
        document(llm_stage(template={"instructions": "{{ text }}", "input": "{{ text }}"})),
        HERE,
        [("unknown_placeholder", "/stages/0/template/instructions")],
    ),
    (
        "an open placeholder",
        document(llm_stage(template={"input": "{{ text }} and {{ id"})),
        HERE,
        [("unknown_placeholder", "/stages/0/template/input")],
    ),
    (
        "a table of many rows in a template",
        document(llm_stage(template={"input": "{{ text }} {{ tickets.status }}"})),
        HERE,
        [("not_one_row", "/stages/0/template/input")],
    ),
    (
        "the same text for all",
        document(llm_stage(template={"input": "Say something."})),
        HERE,
        [("template_without_placeholder", "/stages/0/template/input")],
    ),
    (
        "a template for redact",
        document(stage(template={"input": "{{ text }}"})),
        HERE,
        [("template_not_supported", "/stages/0/template")],
    ),
    (
        "llm without a template",
        document(llm_stage(template=None)),
        HERE,
        [("missing_template", "/stages/0")],
    ),
    (
        "llm without an output",
        document(llm_stage(output=None)),
        HERE,
        [("missing_output", "/stages/0")],
    ),
    (
        "redact with an output",
        document(stage(output=schema(a=TEXT))),
        HERE,
        [("output_not_supported", "/stages/0/output")],
    ),
    (
        "an output of unknown type",
        document(llm_stage(output=schema(a={"type": "text"}))),
        HERE,
        [("invalid_output_schema", "/stages/0/output")],
    ),
    (
        "an output that is no object",
        document(llm_stage(output={"type": "string"})),
        HERE,
        [("invalid_output_schema", "/stages/0/output")],
    ),
    (
        "an output column with underscore",
        document(llm_stage(output=schema(_unit=TEXT))),
        HERE,
        [("invalid_output_schema", "/stages/0/output")],
    ),
    (
        "an output that refers outside",
        document(llm_stage(output=schema(a={"$ref": "http://example.org/s"}))),
        HERE,
        [("invalid_output_schema", "/stages/0/output")],
    ),
    (
        "a kept column that is an output too",
        document(stage(keep=["status", "text"])),
        HERE,
        [("keep_collides", "/stages/0/keep/1")],
    ),
    (
        "a key that is an output too",
        document(llm_stage(output=schema(id=TEXT))),
        HERE,
        [("keep_collides", "/stages/0/output")],
    ),
    (
        "a group key that is an output too",
        document(
            llm_stage(
                unit={"group_by": ["status"]},
                output=schema(status=TEXT),
                template={"input": "{{ rows.text }}"},
            )
        ),
        HERE,
        [("keep_collides", "/stages/0/unit/group_by/0")],
    ),
    (
        "keep through sql",
        document(sql("SELECT 1 AS a", keep=["id"])),
        HERE,
        [("keep_not_supported", "/stages/0/keep")],
    ),
    (
        "sql that is no SELECT",
        document(sql("DELETE FROM tickets")),
        HERE,
        [("sql_not_one_select", "/stages/0/params/query")],
    ),
    (
        "two statements",
        document(sql("SELECT 1 AS a; SELECT 2 AS a")),
        HERE,
        [("sql_not_one_select", "/stages/0/params/query")],
    ),
    (
        "sql over a table not declared",
        document(sql("SELECT * FROM play")),
        HERE,
        [("sql_unknown_table", "/stages/0/params/query")],
    ),
    (
        "sql with an unknown column",
        document(sql("SELECT color FROM tickets")),
        HERE,
        [("sql_invalid", "/stages/0/params/query")],
    ),
    (
        "a stage nobody reads",
        document(stage(name="idle"), stage()),
        HERE,
        [("unused_stage", "/stages/0")],
    ),
    (
        "a result that is no stage",
        document(stage(), sql("SELECT 1 AS a", name="b", over="redacted"), result={"table": "c"}),
        HERE,
        [("unused_stage", "/stages/1"), ("unknown_result", "/result/table")],
    ),
    (
        "a result that lacks what the job asks",
        document(stage()),
        replace(HERE, output={**schema(summary=TEXT), "required": ["summary"]}),
        [("output_mismatch", "/result/table")],
    ),
    (
        "a result of another type",
        document(stage()),
        replace(HERE, output=schema(text={"type": "integer"})),
        [("output_mismatch", "/result/table")],
    ),
    (
        "a result with more than a closed schema has",
        document(stage()),
        replace(HERE, output={**schema(text=TEXT, id={}), "additionalProperties": False}),
        [("output_mismatch", "/result/table")],
    ),
    (
        "too many subtasks",
        document(stage()),
        replace(HERE, limits=Limits(max_subtasks=199)),
        [("too_many_subtasks", "/stages/0")],
    ),
    (
        "too many subtasks by replicas",
        document(stage(replicas=3)),
        replace(HERE, limits=Limits(max_subtasks=599)),
        [("too_many_subtasks", "/stages/0")],
    ),
    (
        "too many stages",
        document(stage(name="a"), stage(over="a")),
        replace(HERE, limits=Limits(max_stages=1)),
        [("too_many_stages", "/stages")],
    ),
    (
        "too many tokens",
        document(llm_stage()),
        replace(HERE, limits=Limits(max_tokens=1_000)),
        [("too_many_tokens", "/stages/0")],
    ),
    (
        "a tool outside the list",
        document(llm_stage(capability="agent", params={"tools": ["search", "shell"]})),
        replace(HERE, limits=Limits(tools=frozenset({"search"}))),
        [("tool_not_allowed", "/stages/0/params/tools/1")],
    ),
    (
        "an unknown column of images",
        document(llm_stage(params={"images": ["text", "foto"]})),
        HERE,
        [("unknown_column", "/stages/0/params/images/1")],
    ),
    (
        "images that are no text",
        document(llm_stage(params={"images": ["tags"]})),
        HERE,
        [("image_column_not_text", "/stages/0/params/images/0")],
    ),
    (
        "no list of images",
        document(llm_stage(params={"images": "text"})),
        HERE,
        [("invalid_parameter", "/stages/0/params/images")],
    ),
    (
        "images for a blind endpoint",
        document(llm_stage(capability="agent", params={"images": ["text"], "model": "small"})),
        replace(HERE, without_images=frozenset({"small"})),
        [("images_not_supported", "/stages/0/params/images")],
    ),
    (
        "images for a blind judge",
        document(llm_stage(params={"images": ["text"]}, replicas=3, agree="judge")),
        replace(HERE, without_images=frozenset({"judge"}), model_available=True),
        [("images_not_supported", "/stages/0/agree")],
    ),
    (
        "external effects",
        document(stage(capability="post_comment", params={})),
        HERE,
        [("external_not_permitted", "/stages/0/capability")],
    ),
    (
        "agree without replicas",
        document(stage(agree="majority")),
        HERE,
        [("agree_without_replicas", "/stages/0/agree")],
    ),
    (
        "two tables for redact",
        document(stage(over=["tickets", "play"])),
        HERE,
        [("over_list_not_supported", "/stages/0/over")],
    ),
    (
        "one row from split",
        document(stage(capability="split", params={"field": "text", "by": "sentence"}, emit="one")),
        HERE,
        [("emit_not_supported", "/stages/0/emit")],
    ),
    (
        "many rows from redact",
        document(stage(emit="many")),
        HERE,
        [("emit_not_supported", "/stages/0/emit")],
    ),
    ("no replica", document(stage(replicas=0)), HERE, [("out_of_range", "/stages/0/replicas")]),
    ("many retries", document(stage(retries=99)), HERE, [("out_of_range", "/stages/0/retries")]),
    ("no time", document(stage(timeout_s=0)), HERE, [("out_of_range", "/stages/0/timeout_s")]),
    (
        "more than all failed",
        document(stage(max_failed=1.5)),
        HERE,
        [("out_of_range", "/stages/0/max_failed")],
    ),
]


@pytest.mark.parametrize(
    ("wrong", "known", "expected"),
    [case[1:] for case in BAD],
    ids=[case[0] for case in BAD],
)
def test_a_bad_plan_gets_its_own_code_and_pointer(
    wrong: dict[str, Any], known: PlanFacts, expected: list[tuple[str, str]]
) -> None:
    findings = lint(load_plan(wrong), known)
    assert told(findings) == expected
    assert refuses(findings)
    assert all(finding.detail.strip().endswith((".", "?")) for finding in findings)


def test_every_code_of_a_refusal_but_rare_types_is_shown_by_a_bad_plan() -> None:
    shown = {code for case in BAD for code, _ in case[3]}
    warnings = {"will_fold", "over_budget", "mentions_other_rows", "waits_for_end"}
    assert set(CODES) - shown - warnings == {"sql_unsupported_type"}


def test_the_example_plan_is_clean_where_there_is_a_model() -> None:
    assert lint(load_plan(example_document()), HERE) == []


def test_the_example_plan_names_the_capability_that_is_missing() -> None:
    findings = lint(load_plan(example_document()), NO_MODEL)
    assert told(findings) == [
        ("capability_unavailable", "/stages/1/capability"),
        ("capability_unavailable", "/stages/2/capability"),
    ]


def test_a_misspelt_name_is_suggested() -> None:
    (finding,) = lint(plan(stage(over="tikets")), HERE)
    assert "`tickets`" in finding.detail


def test_what_follows_from_an_unknown_table_is_not_reported_again() -> None:
    broken = plan(stage(name="a", over="nothing"), stage(over="a", keep=["color"]))
    assert told(lint(broken, HERE)) == [("unknown_table", "/stages/0/over")]


def test_a_large_group_is_told_to_fold() -> None:
    large = replace(TICKETS, rows=100_000)
    whole = plan(llm_stage(unit={"table": True}, template={"input": "{{ rows.text }}"}))
    findings = lint(whole, facts("llm", tables={"tickets": large}))
    assert told(findings) == [("will_fold", "/stages/0/unit")]
    assert not refuses(findings)
    assert lint(whole, HERE) == []


def test_a_price_above_the_budget_is_a_warning() -> None:
    prices = {"worker": ModelPrice(10, 30)}
    known = replace(HERE, prices=prices, limits=Limits(budget_microusd=1_000))
    assert told(lint(plan(llm_stage()), known)) == [("over_budget", "/stages")]
    ample = replace(known, limits=Limits(budget_microusd=10**9))
    assert lint(plan(llm_stage()), ample) == []


@pytest.mark.parametrize(
    "text", ["Compare with the other rows.", "As in the previous ticket", "the rest of the table"]
)
def test_a_template_that_speaks_of_other_rows_is_a_warning(text: str) -> None:
    told_apart = llm_stage(template={"instructions": text, "input": "{{ text }}"})
    findings = lint(plan(told_apart), HERE)
    assert told(findings) == [("mentions_other_rows", "/stages/0/template/instructions")]
    assert not refuses(findings)


def test_a_table_of_one_row_may_be_named_in_a_template() -> None:
    styled = llm_stage(template={"instructions": "{{ style.tone }}", "input": "{{ text }}"})
    assert lint(plan(styled, tables={"style": [{"tone": "dry"}]}), HERE) == []


def test_the_one_summary_of_a_table_may_be_named_by_a_later_stage() -> None:
    whole = stage(name="whole", capability="summarize", unit={"table": True})
    labelled = llm_stage(template={"input": "{{ whole.summary }} {{ text }}"})
    assert lint(plan(whole, labelled), HERE) == []


def test_a_stage_whose_units_differ_by_their_images_alone_is_clean() -> None:
    seen = llm_stage(params={"images": ["text"]}, template={"input": "What is on the picture?"})
    assert lint(plan(seen), replace(HERE, without_images=frozenset({"small"}))) == []


def test_external_effects_with_permission_are_clean() -> None:
    permitted = replace(HERE, limits=Limits(allow_external=True))
    assert lint(plan(stage(capability="post_comment", params={})), permitted) == []


def test_a_stage_kept_for_the_next_round_need_not_be_used() -> None:
    rounds = plan(stage(name="idle"), stage(), then="replan")
    assert lint(rounds, replace(HERE, model_available=True)) == []


def test_a_result_that_has_what_the_job_asks_is_clean() -> None:
    asked = {**schema(text=TEXT, id={"type": "number"}), "required": ["text", "id"]}
    assert lint(plan(stage()), replace(HERE, output=asked)) == []
