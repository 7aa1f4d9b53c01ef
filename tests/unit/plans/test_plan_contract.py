from typing import Any

import pytest

from shared.contracts.names import is_name
from shared.contracts.output_schema import strict_schema
from shared.contracts.plan import PlanShapeError, dump_plan, load_plan, plan_hash
from shared.domain.plan import UnitSpec
from tests.unit.plans.plan_facts import document, example_document, stage


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


BAD_SHAPES: list[tuple[str, Any, str, str]] = [
    ("not an object", [], "invalid", ""),
    ("a number", 3, "invalid", ""),
    ("no version", document(stage(), version=None) | {"version": "1"}, "invalid", "/version"),
    ("version 2", document(stage(), version=2), "invalid", "/version"),
    ("true as version", document(stage(), version=True), "invalid", "/version"),
    ("unknown field", document(stage(), color="red"), "unknown_field", "/color"),
    ("no stages", document(stage(), stages=[]), "invalid", "/stages"),
    ("a stage of text", document(stage(), stages=["x"]), "invalid", "/stages/0"),
    ("misspelt field", document(stage(paramz={})), "unknown_field", "/stages/0/paramz"),
    ("no unit", document(stage(unit=None)), "missing_field", "/stages/0/unit"),
    ("no capability", document(stage(capability=None)), "missing_field", "/stages/0/capability"),
    ("no over", document(stage(over=None)), "missing_field", "/stages/0/over"),
    ("over nothing", document(stage(over=[])), "invalid", "/stages/0/over"),
    ("over a number", document(stage(over=[1])), "invalid", "/stages/0/over"),
    ("upper-case name", document(stage(name="Redacted")), "invalid", "/stages/0/name"),
    ("underscore name", document(stage(name="_unit")), "invalid", "/stages/0/name"),
    ("reserved name", document(stage(name="rows")), "invalid", "/stages/0/name"),
    ("name with newline", document(stage(name="a\n")), "invalid", "/stages/0/name"),
    ("long name", document(stage(name="a" * 64)), "invalid", "/stages/0/name"),
    ("two units", document(stage(unit={"rows": 1, "table": True})), "invalid", "/stages/0/unit"),
    ("no unit kind", document(stage(unit={})), "invalid", "/stages/0/unit"),
    ("zero rows", document(stage(unit={"rows": 0})), "invalid", "/stages/0/unit/rows"),
    ("half a row", document(stage(unit={"rows": 1.5})), "invalid", "/stages/0/unit/rows"),
    ("table false", document(stage(unit={"table": False})), "invalid", "/stages/0/unit/table"),
    (
        "empty group",
        document(stage(unit={"group_by": []})),
        "invalid",
        "/stages/0/unit/group_by",
    ),
    (
        "overlap of groups",
        document(stage(unit={"group_by": ["id"], "overlap": 1})),
        "invalid",
        "/stages/0/unit/overlap",
    ),
    ("emit some", document(stage(emit="some")), "invalid", "/stages/0/emit"),
    ("agree maybe", document(stage(agree="maybe")), "invalid", "/stages/0/agree"),
    ("retries as text", document(stage(retries="2")), "invalid", "/stages/0/retries"),
    ("rows not objects", document(stage(), tables={"a": [1]}), "invalid", "/tables/a/0"),
    ("bad table name", document(stage(), tables={"a/b": [{}]}), "invalid", "/tables/a~1b"),
    ("result as text", document(stage(), result="redacted"), "invalid", "/result"),
    ("then stop", document(stage(), then="stop"), "invalid", "/then"),
    ("nested deep", document(stage(params={"x": nested(40)})), "too_deep", ""),
    ("huge integer", document(stage(params={"x": 10**400})), "invalid", "/stages/0/params/x"),
    ("NaN", document(stage(params={"x": float("nan")})), "invalid", "/stages/0/params/x"),
    ("NUL", document(stage(), brief="a\0b"), "invalid", "/brief"),
    ("lone surrogate", document(stage(), brief="\ud800"), "invalid", "/brief"),
    ("long brief", document(stage(), brief="x" * 200_000), "invalid", "/brief"),
]


@pytest.mark.parametrize(
    ("wrong", "code", "pointer"),
    [case[1:] for case in BAD_SHAPES],
    ids=[case[0] for case in BAD_SHAPES],
)
def test_a_document_of_wrong_shape_is_refused_where_it_is_wrong(
    wrong: Any, code: str, pointer: str
) -> None:
    with pytest.raises(PlanShapeError) as refused:
        load_plan(wrong)
    found = [(finding.code, finding.pointer) for finding in refused.value.findings]
    if code == "too_deep":
        assert [finding.code for finding in refused.value.findings] == ["too_deep"]
    else:
        assert found == [(code, pointer)]
    assert all(finding.detail.endswith(".") for finding in refused.value.findings)


def test_every_problem_of_a_document_is_reported_at_once() -> None:
    wrong = document(stage(name="X", emit="some"), stage(name="b", unit={}), color=1)
    with pytest.raises(PlanShapeError) as refused:
        load_plan(wrong)
    pointers = {finding.pointer for finding in refused.value.findings}
    assert pointers == {"/color", "/stages/0/name", "/stages/0/emit", "/stages/1/unit"}


def test_a_million_levels_of_nesting_are_an_answer() -> None:
    with pytest.raises(PlanShapeError):
        load_plan({"version": 1, "brief": nested(1_000_000)})


def test_the_normal_form_loads_to_the_same_plan() -> None:
    plan = load_plan(example_document())
    assert load_plan(dump_plan(plan)) == plan


def test_what_the_document_leaves_out_has_its_default() -> None:
    plan = load_plan(document(stage()))
    only = plan.stages[0]
    assert (plan.brief, plan.then, plan.tables) == ("", "finish", {})
    assert only.unit == UnitSpec("rows", size=1)
    assert (only.emit, only.retries, only.max_failed, only.replicas) == (None, None, None, 1)


def test_several_inputs_stay_a_list() -> None:
    one, two = stage(over=["tickets"]), stage(over=["tickets", "play"])
    stages = dump_plan(load_plan(document(one, two, result={"table": "redacted"})))["stages"]
    assert [written["over"] for written in stages] == ["tickets", ["tickets", "play"]]


def test_the_hash_of_a_plan_ignores_the_order_of_fields() -> None:
    first = document(stage())
    turned = dict(reversed(first.items()))
    assert list(first) != list(turned)
    assert plan_hash(first) == plan_hash(turned)
    assert len(plan_hash(first)) == 64


def test_the_hash_of_a_plan_changes_with_its_content() -> None:
    assert plan_hash(document(stage())) != plan_hash(document(stage(keep=["id"])))


@pytest.mark.parametrize("name", ["a", "scene_summaries", "a" * 63, "a1"])
def test_usual_names_are_names(name: str) -> None:
    assert is_name(name)


def test_a_strict_schema_closes_named_objects_at_every_depth() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": inner}, "c": {"anyOf": [inner]}},
        "required": ["a"],
    }
    strict = strict_schema(schema)
    closed = {**inner, "additionalProperties": False, "required": ["b"]}
    assert strict["required"] == ["a", "c"]
    assert strict["additionalProperties"] is False
    assert strict["properties"]["a"]["items"] == closed
    assert strict["properties"]["c"]["anyOf"] == [closed]
    assert "required" not in inner


def test_a_property_called_items_or_properties_is_a_property() -> None:
    schema = {"type": "object", "properties": {"properties": {"type": "string"}}}
    assert strict_schema(schema)["properties"] == {"properties": {"type": "string"}}


def test_an_object_without_named_properties_stays_open() -> None:
    assert strict_schema({"type": "object"}) == {"type": "object"}
