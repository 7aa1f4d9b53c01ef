from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.plan import StagePlan, Template, UnitSpec
from shared.plans.render import RenderError, compile_template, references, render


def render_row(template: str, row: dict[str, Any], **tables: dict[str, Any]) -> str:
    return render(template, [row], True, {}, tables)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        (True, "true"),
        (7, "7"),
        (1.5, "1.5"),
        (["a", None], '["a",null]'),
        ({"b": 1}, '{"b":1}'),
        ("", ""),
    ],
)
def test_a_value_stands_in_the_text_as_documented(value: Any, text: str) -> None:
    assert render_row("<{{ x }}>", {"x": value}) == f"<{text}>"


def test_rows_render_as_json_arrays() -> None:
    rows = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    assert render("{{ rows.a }}", rows, False, {}, {}) == "[1,null]"
    assert orjson.loads(render("{{ rows }}", rows, False, {}, {})) == rows


def test_a_group_key_renders_as_a_scalar() -> None:
    rows = [{"act": "ACT I", "summary": "s"}]
    assert render("{{ act }}: {{ rows.summary }}", rows, False, {"act": "ACT I"}, {}) == (
        'ACT I: ["s"]'
    )


def test_a_one_row_table_renders_its_value() -> None:
    assert render_row("{{ style.tone }} {{ x }}", {"x": 1}, style={"tone": "dry"}) == "dry 1"


def test_overlap_rows_surround_the_own_rows() -> None:
    text = render(
        "{{ x }}|{{ rows.x }}", [{"x": 2}], True, {}, {}, before=[{"x": 1}], after=[{"x": 3}]
    )
    assert text == "2|[1,2,3]"


def test_names_may_have_spaces_and_dots_split_once() -> None:
    assert render_row("{{Ticket ID}}", {"Ticket ID": 5}) == "5"
    assert render("{{ rows.a.b }}", [{"a.b": 1}], False, {}, {}) == "[1]"


def test_an_absent_name_is_an_error_and_not_an_empty_text() -> None:
    with pytest.raises(RenderError, match="nothing"):
        render_row("{{ nothing }}", {"x": 1})


def test_placeholders_are_told_by_kind() -> None:
    template = compile_template("{{ a }}{{rows}}{{ rows.b }} {{ t.c }} {{}} {x}")
    kinds = [placeholder.kind for placeholder in template.placeholders]
    assert kinds == ["column", "rows", "rows.column", "table.column"]


def test_a_stage_references_the_tables_of_both_parts_of_its_template() -> None:
    stage = StagePlan(
        "s", ("t",), UnitSpec("rows"), "llm", template=Template("{{ a.x }}", "{{ b.y }}{{ rows }}")
    )
    assert references(stage) == {"a", "b"}


@given(st.text(), st.text())
def test_what_a_row_says_is_never_expanded(around: str, secret: str) -> None:
    hostile = around + "{{ other }}{{ rows }}{{ t.c }}"
    text = render_row("[{{ x }}]", {"x": hostile, "other": secret}, t={"c": secret})
    assert text == f"[{hostile}]"


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(), min_size=3), min_size=1))
def test_rows_come_back_from_the_text_as_they_were(rows: list[dict[str, str]]) -> None:
    assert orjson.loads(render("{{ rows }}", rows, False, {}, {})) == rows


@given(st.text(alphabet=st.sampled_from("{} x.\n"), max_size=40))
def test_any_text_compiles_and_keeps_what_is_no_placeholder(text: str) -> None:
    template = compile_template(text)
    if not template.placeholders:
        assert "".join(str(part) for part in template.parts) == text
