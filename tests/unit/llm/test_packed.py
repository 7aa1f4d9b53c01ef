"""Several units in one call."""

from shared.llm.abilities import UNKNOWN
from shared.llm.packed import halves, match_packed, packed_schema
from shared.llm.structured import choose_rung, compile_validator

OUTPUT = {"type": "object", "properties": {"label": {"type": "string"}}}
IDS = ("1", "2", "3")


def _item(unit_id: object, label: str) -> dict[str, object]:
    return {"id": unit_id, "output": {"label": label}}


def test_items_are_matched_by_id_not_by_order():
    matched = match_packed(IDS, {"answers": [_item("3", "c"), _item("1", "a"), _item("2", "b")]})

    assert [matched.outputs[unit]["label"] for unit in IDS] == ["a", "b", "c"]
    assert matched.missing == ()


def test_a_missing_item_is_its_own_units_problem():
    matched = match_packed(IDS, {"answers": [_item("1", "a"), _item("3", "c")]})

    assert set(matched.outputs) == {"1", "3"}
    assert matched.missing == ("2",)


def test_an_item_twice_the_same_counts_once_and_two_that_differ_count_not():
    same = match_packed(IDS, {"answers": [_item("1", "a"), _item("1", "a")]})
    differing = match_packed(IDS, {"answers": [_item("1", "a"), _item("1", "x")]})

    assert same.missing == ("2", "3")
    assert differing.missing == IDS


def test_an_item_of_another_id_goes_to_nobody():
    assert match_packed(IDS, {"answers": [_item("9", "x"), _item(2, "b")]}).missing == ("1", "3")


def test_what_is_no_packed_answer_leaves_all_missing():
    for value in (None, [], {"answers": None}, {"answers": [7, {"id": "1"}]}):
        assert match_packed(IDS, value).missing == IDS


def test_the_packed_schema_is_strict_and_sendable():
    schema = packed_schema(OUTPUT)

    assert choose_rung(UNKNOWN, schema) == "json_schema"
    assert compile_validator(schema)({"answers": [_item("1", "a")]}) is None
    assert compile_validator(schema)({"answers": [{"id": "1"}]}) is not None


def test_bisection_covers_every_unit_once():
    assert halves(IDS) == (("1", "2"), ("3",))
    assert halves(("1",)) == (("1",), ())
