"""Plans that cannot run: every code the linter has for a refusal comes through the door."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.database import capabilities, endpoint_abilities
from shared.llm.endpoints import endpoints_of
from shared.plans.codes import ERRORS
from shared.settings import Settings
from tests.integration.api_door import NOT_HERE, Api, problem
from tests.integration.bad_requests import nested
from tests.unit.plans.plan_facts import POST, document, llm_stage, stage

SHAPE = {"invalid", "missing_field", "unknown_field", "too_deep"}  # what is no plan at all
TICKETS = [
    {"id": n, "status": "open", "text": f"mail a{n}@example.com", "tags": [n]} for n in range(4)
]
INPUTS = {"tickets": {"rows": TICKETS, "key": "id"}, "play": {"rows": [{"name": "x", "text": "y"}]}}
TEXT = {"type": "string"}
Bad = tuple[str, str, dict[str, Any]]  # code, pointer below the plan, plan and what goes with it


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    """An api with narrow limits, a model that takes no images, and a capability with effects."""
    made = Api(
        replace(
            settings, openai_base_url="http://127.0.0.1:1/v1", model="small", max_stages=3,
            max_subtasks=20,
        ),
        database,
    )  # fmt: skip
    with database.begin() as connection:
        capabilities.publish(connection, [POST.to_json()])
        for endpoint in endpoints_of(made.settings):
            endpoint_abilities.save(
                connection, endpoint.name, endpoint.address_hash, endpoint.model, {"images": False}
            )
    yield made
    made.close()


def sql(query: str, **changes: Any) -> dict[str, Any]:
    asked = {"capability": "sql", "unit": {"table": True}, "params": {"query": query}}
    return stage(**(asked | changes))


def bad(code: str, pointer: str, *stages: dict[str, Any], **changes: Any) -> Bad:
    return code, pointer, {"plan": document(*stages, **changes)}


def one_row(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


PLANS: list[Bad] = [
    ("invalid", "", {"plan": "x"}),
    ("missing_field", "/stages", {"plan": {}}),
    bad("unknown_field", "/stages/0/colour", stage(colour=1)),
    bad("invalid", "/brief", stage(), brief="a\0"),
    bad("invalid", "/stages/0/name", stage(name="a.b")),
    bad("too_deep", "", stage(params={"field": nested(100)})),
    bad("unknown_table", "/stages/0/over", stage(over="tikets")),
    bad("unknown_column", "/stages/0/params/field", stage(params={"field": "body"})),
    bad("unknown_column", "/stages/0/keep/0", stage(keep=["colour"])),
    bad("unknown_capability", "/stages/0/capability", stage(capability="redakt")),
    bad("capability_unavailable", "/stages/0/capability", stage(capability=NOT_HERE)),
    bad("external_not_permitted", "/stages/0/capability",
        stage(capability="post_comment", params={})),
    bad("unknown_parameter", "/stages/0/params/klasses",
        stage(params={"field": "text", "klasses": []})),
    bad("invalid_parameter", "/stages/0/params", stage(params={})),
    bad("unit_not_supported", "/stages/0/unit", stage(unit={"group_by": ["status"]})),
    bad("over_list_not_supported", "/stages/0/over", stage(over=["tickets", "play"])),
    bad("emit_not_supported", "/stages/0/emit", stage(emit="many")),
    bad("tool_not_allowed", "/stages/0/params/tools/0",
        llm_stage(capability="agent", params={"tools": ["shell"]})),
    bad("json_column", "/stages/0/unit/group_by/0",
        stage(capability="summarize", unit={"group_by": ["tags"]})),
    bad("keep_collides", "/stages/0/keep/0", stage(keep=["text"])),
    bad("keep_not_supported", "/stages/0/keep", sql("SELECT 1 AS a", keep=["id"])),
    bad("image_column_not_text", "/stages/0/params/images/0",
        llm_stage(params={"images": ["tags"]})),
    bad("images_not_supported", "/stages/0/params/images", llm_stage(params={"images": ["text"]})),
    bad("duplicate_name", "/stages/1/name", stage(), stage()),
    bad("empty_table", "/tables/none", stage(), tables={"none": []}),
    bad("cyclic", "/stages/0/over", stage(name="a", over="b"), stage(name="b", over="a")),
    bad("unused_stage", "/stages/0", stage(name="idle"), stage()),
    bad("unknown_result", "/result/table", stage(), result={"table": "x"}),
    ("output_mismatch", "/result/table",
     {"plan": document(stage()), "output": one_row(summary=TEXT)}),
    bad("missing_template", "/stages/0", llm_stage(template=None)),
    bad("template_not_supported", "/stages/0/template", stage(template={"input": "{{ text }}"})),
    bad("template_without_placeholder", "/stages/0/template/input",
        llm_stage(template={"input": "Say something."})),
    bad("unknown_placeholder", "/stages/0/template/input",
        llm_stage(template={"input": "{{ body }}"})),
    bad("not_one_row", "/stages/0/template/input",
        llm_stage(template={"input": "{{ text }} {{ tickets.status }}"})),
    bad("missing_output", "/stages/0", llm_stage(output=None)),
    bad("output_not_supported", "/stages/0/output", stage(output=one_row(a=TEXT))),
    bad("invalid_output_schema", "/stages/0/output", llm_stage(output=one_row(a={"type": "text"}))),
    bad("out_of_range", "/stages/0/retries", stage(retries=99)),
    bad("agree_without_replicas", "/stages/0/agree", stage(agree="majority")),
    bad("too_many_stages", "/stages", *[stage(name=f"s{n}", over="tickets") for n in range(4)]),
    bad("too_many_subtasks", "/stages/0", stage(replicas=25)),
    ("too_many_tokens", "/stages/0",
     {"plan": document(llm_stage()), "policy": {"budget": {"tokens": 1}}}),
    bad("sql_not_one_select", "/stages/0/params/query", sql("DROP TABLE tickets")),
    bad("sql_unknown_table", "/stages/0/params/query", sql("SELECT * FROM secrets")),
    bad("sql_invalid", "/stages/0/params/query", sql("SELECT colour FROM tickets")),
    bad("sql_unsupported_type", "/stages/0/params/query", sql("SELECT 'a'::BLOB AS a")),
]  # fmt: skip


def test_every_refusal_of_the_linter_is_told_with_code_and_pointer_and_nothing_is_kept(
    api: Api, subtests: pytest.Subtests
) -> None:
    before = api.kept()
    for code, pointer, given in PLANS:
        with subtests.test(f"{code} {pointer}"):
            answer = api.post("/v1/jobs", json={"inputs": INPUTS, **given})
            errors = problem(answer, 422, "plan_invalid")["errors"]
            told = [(one["code"], one["pointer"]) for one in errors]
            where = f"/plan{pointer}"
            if code == "too_deep":
                assert any(one == code and at.startswith(where) for one, at in told), told
            else:
                assert (code, where) in told
            assert all(at.startswith("/plan") for _, at in told)
    assert api.kept() == before


def test_no_refusal_of_the_linter_is_left_out_here() -> None:
    assert {code for code, _, _ in PLANS} == SHAPE | set(ERRORS)
