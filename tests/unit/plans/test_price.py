from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.plans.facts import ModelPrice
from shared.plans.price import Price, price
from tests.unit.plans.plan_facts import TICKETS, facts, llm_stage, plan, stage

PRICES = {"worker": ModelPrice(1.0, 4.0)}


def priced(*stages: dict, rows: int | None = 200, **changes: object) -> Price:
    table = replace(TICKETS, rows=rows)
    checked = plan(*stages, **changes)
    return price(checked, facts("llm", "agent", tables={"tickets": table}), PRICES)


def ends(range_of: object) -> tuple[int, int, int]:
    return (range_of.low, range_of.expected, range_of.high)  # type: ignore[attr-defined]


def test_units_of_rows_are_counted_exactly() -> None:
    assert ends(priced(stage()).total.units) == (200, 200, 200)
    grouped = llm_stage(unit={"rows": 3}, template={"input": "{{ rows.text }}"})
    assert ends(priced(grouped).total.units) == (67, 67, 67)


def test_a_known_count_of_values_is_the_count_of_groups() -> None:
    grouped = stage(capability="summarize", unit={"group_by": ["status"]})
    assert ends(priced(grouped).total.units) == (4, 4, 4)


def test_groups_by_an_unknown_column_widen_the_range() -> None:
    grouped = stage(capability="summarize", unit={"group_by": ["text"]})
    assert ends(priced(grouped).total.units) == (1, 14, 200)


def test_capabilities_without_a_model_cost_nothing() -> None:
    total = priced(stage()).total
    assert ends(total.cost_microusd) == ends(total.input_tokens) == (0, 0, 0)


def test_a_model_stage_costs_its_tokens() -> None:
    only = priced(llm_stage(params={"max_output_tokens": 100})).stages[0]
    tokens_in, tokens_out = only.cost.input_tokens, only.cost.output_tokens
    # 300 characters of text and a prefix of about 300 more, at 4 characters a token
    assert 200 * 100 < tokens_in.expected < 200 * 200
    assert ends(tokens_out) == (200 * 3, 200 * 40, 200 * 100)
    assert only.cost.cost_microusd.expected == tokens_in.expected + 4 * tokens_out.expected
    assert only.model == "worker"


def test_a_model_without_a_price_is_named() -> None:
    result = priced(llm_stage(params={"model": "unheard-of"}))
    assert result.unpriced == ("unheard-of",)
    assert result.total.cost_microusd.high == 0


def test_fan_out_nobody_declared_widens_what_follows() -> None:
    many = llm_stage(name="many", emit="many")
    after = llm_stage(over="many", template={"input": "{{ label }}"})
    second = priced(many, after).stages[1]
    assert ends(second.cost.units) == (200, 1_000, 10_000)


def test_replicas_and_a_judge_multiply_the_calls() -> None:
    once = priced(llm_stage()).total
    judged = priced(llm_stage(replicas=3, agree="judge")).total
    assert judged.units == once.units
    assert judged.subtasks.low == 3 * once.subtasks.low
    assert judged.output_tokens.expected == 4 * once.output_tokens.expected


def test_packing_shares_the_prefix() -> None:
    alone = priced(llm_stage()).total.input_tokens
    packed = priced(llm_stage(params={"pack": 8})).total.input_tokens
    assert packed.expected < alone.expected


def test_an_image_costs_its_allowance_and_not_its_letters() -> None:
    photos = replace(TICKETS, mean_chars={**TICKETS.mean_chars, "text": 2_000_000})
    known = facts("llm", "agent", tables={"tickets": photos})
    shown = llm_stage(params={"images": ["text"]})
    blind = llm_stage(template={"instructions": "Label it.", "input": "[image 1]"})

    tokens = price(plan(shown), known, PRICES).total.input_tokens
    without = price(plan(blind), known, PRICES).total.input_tokens

    assert tokens.low == without.low + 200 * 85
    assert tokens.expected == without.expected + 200 * 1_000
    assert tokens.high == without.high + 200 * 2_500


def test_an_agent_and_replicas_pay_their_images_again() -> None:
    once = priced(llm_stage(params={"images": ["text"]})).total.input_tokens
    thrice = priced(llm_stage(params={"images": ["text"]}, replicas=3)).total.input_tokens
    steps = llm_stage(capability="agent", params={"images": ["text"], "max_steps": 5})
    assert thrice.expected - 3 * once.expected in range(-3, 4)
    assert priced(steps).total.input_tokens.high > 4 * once.high


def test_an_open_stream_has_a_wide_range() -> None:
    units = priced(stage(), rows=None).total.units
    assert units.low == 0
    assert units.high > units.expected > 0


def test_the_json_form_has_every_measure_three_times() -> None:
    written = priced(llm_stage()).to_json()
    measures = {"units", "subtasks", "input_tokens", "output_tokens", "cost_microusd"}
    assert set(written["total"]) == measures
    assert set(written["stages"][0]) == measures | {"name", "model"}
    assert set(written["total"]["units"]) == {"low", "expected", "high"}


SHAPES = [
    [llm_stage()],
    [llm_stage(unit={"rows": 5, "overlap": 1}, template={"input": "{{ rows }}"})],
    [llm_stage(unit={"group_by": ["text"]}, template={"input": "{{ rows.text }}"})],
    [llm_stage(unit={"group_by": ["status"]}, template={"input": "{{ rows.text }}"})],
    [
        stage(name="cut", capability="split", params={"field": "text", "by": "sentence"}),
        llm_stage(over="cut", replicas=2),
    ],
]


@pytest.mark.parametrize("stages", SHAPES, ids=lambda stages: str(stages[0]["unit"]))
@given(few=st.integers(0, 10**6), more=st.integers(0, 10**6))
def test_more_rows_never_cost_less(stages: list[dict], few: int, more: int) -> None:
    small, large = (priced(*stages, rows=rows).total for rows in sorted((few, more)))
    for measure in ("units", "subtasks", "input_tokens", "output_tokens", "cost_microusd"):
        before, after = ends(getattr(small, measure)), ends(getattr(large, measure))
        assert all(one <= other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("stages", SHAPES, ids=lambda stages: str(stages[0]["unit"]))
@given(rows=st.one_of(st.none(), st.integers(0, 10**6)))
def test_low_is_not_above_expected_nor_that_above_high(
    stages: list[dict], rows: int | None
) -> None:
    total = priced(*stages, rows=rows).total
    for measure in ("units", "subtasks", "input_tokens", "output_tokens", "cost_microusd"):
        low, expected, high = ends(getattr(total, measure))
        assert low <= expected <= high
