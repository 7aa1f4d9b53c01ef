from shared.domain.columns import Column
from shared.plans.columns import kept_columns, table_columns, table_keys
from shared.plans.order import dependencies, stage_order, waiting_for_ever
from tests.unit.plans.plan_facts import TICKETS, facts, llm_stage, plan, stage


def names(columns: tuple[Column, ...]) -> list[str]:
    return [f"{column.name}:{column.type}" for column in columns]


def test_a_row_unit_keeps_the_key_and_what_the_plan_names_in_the_input_s_order() -> None:
    checked = plan(stage(keep=["status"]))
    assert names(table_columns(checked, facts())["redacted"]) == [
        "id:integer",
        "status:string",
        "text:string",
        "entities:json",
    ]
    assert table_keys(checked, facts())["redacted"] == ("id",)


def test_a_unit_of_several_rows_keeps_lists() -> None:
    several = plan(
        stage(capability="summarize", unit={"group_by": ["status"]}, keep=["id"], name="sums")
    )
    kept = kept_columns(several.stages[0], TICKETS.columns, ["id"])
    assert [(column.name, column.type, mode) for column, mode in kept] == [
        ("id", "json", "list"),
        ("status", "string", "value"),
    ]


def test_neighbouring_rows_keep_their_keys_as_a_list() -> None:
    pairs = llm_stage(unit={"rows": 2}, template={"input": "{{ rows.text }}"})
    columns = table_columns(plan(pairs), facts("llm"))["redacted"]
    assert names(columns) == ["id:json", "label:string"]


def test_a_group_without_keep_drops_the_key() -> None:
    grouped = plan(stage(capability="summarize", unit={"group_by": ["status"]}, name="sums"))
    assert names(table_columns(grouped, facts())["sums"]) == ["status:string", "summary:string"]
    assert table_keys(grouped, facts())["sums"] == ()


def test_split_carries_the_key_through_to_later_stages() -> None:
    cut = stage(name="cut", capability="split", params={"field": "text", "by": "sentence"})
    short = stage(name="short", over="cut", capability="summarize")
    checked = plan(cut, short)
    assert names(table_columns(checked, facts())["cut"]) == [
        "id:integer",
        "text:string",
        "position:integer",
    ]
    assert names(table_columns(checked, facts())["short"]) == ["id:integer", "summary:string"]


def test_sql_has_the_columns_of_its_query_and_no_key() -> None:
    query = stage(
        name="counts",
        capability="sql",
        unit={"table": True},
        params={"query": "SELECT status, count(*) AS n FROM tickets GROUP BY status"},
    )
    checked = plan(query)
    assert names(table_columns(checked, facts())["counts"]) == ["status:string", "n:integer"]
    assert table_keys(checked, facts())["counts"] == ()


def test_replicas_add_the_agreement_score() -> None:
    voted = plan(llm_stage(replicas=3, agree="majority"))
    assert names(table_columns(voted, facts("llm"))["redacted"])[-1] == "_agreement:number"


def test_an_agent_returns_its_sources_as_well() -> None:
    asked = plan(llm_stage(capability="agent"))
    columns = table_columns(asked, facts("agent"))["redacted"]
    assert names(columns) == ["id:integer", "label:string", "sources:json"]


def test_literal_tables_have_joined_columns() -> None:
    tasks = {"tasks": [{"a": 1}, {"a": 2.5, "b": [1]}, {"c": None}]}
    checked = plan(stage(), tables=tasks)
    assert names(table_columns(checked, facts())["tasks"]) == ["a:number", "b:json", "c:string"]


def test_stages_written_in_any_order_are_put_into_running_order() -> None:
    last = stage(name="last", over="middle")
    middle = stage(name="middle", over="first")
    checked = plan(last, middle, stage(name="first"), result={"table": "last"})
    assert stage_order(checked) == ["first", "middle", "last"]


def test_a_template_s_table_is_a_dependency() -> None:
    one = stage(name="one", capability="summarize", unit={"table": True})
    template = {"instructions": "{{ one.summary }}", "input": "{{ text }}"}
    two = llm_stage(name="two", template=template)
    assert dependencies(plan(one, two).stages[1]) == ("tickets", "one")


def test_stages_on_a_cycle_have_no_order_and_the_rest_has() -> None:
    looped = plan(
        stage(name="a", over="b"),
        stage(name="b", over="a"),
        stage(name="c"),
        stage(name="d", over="a"),
    )
    assert stage_order(looped) == ["c"]
    assert waiting_for_ever(looped) == ["a", "b"]
