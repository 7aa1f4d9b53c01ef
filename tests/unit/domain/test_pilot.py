"""Which units a pilot runs, how the rest is cut around them, and what its report says."""

import pytest

from shared.domain.pilot import around, choose_units
from shared.domain.pilot_report import PilotedStage, good_enough, report_of
from shared.domain.plan import UnitSpec
from shared.domain.shard import ShardRange, cut_rows


def test_one_unit_is_drawn_from_each_stretch_of_the_table() -> None:
    chosen = choose_units(5_000, 20, "job")
    assert [unit // 250 for unit in chosen] == list(range(20))
    assert chosen == choose_units(5_000, 20, "job")
    assert chosen != choose_units(5_000, 20, "another job")


def test_small_and_large_units_are_drawn_wherever_they_lie() -> None:
    sizes = [1] * 90 + [1_000] * 10
    for seed in "abcdefgh":
        chosen = choose_units(100, 10, seed, sizes)
        assert len(set(chosen)) == 10
        assert sum(sizes[unit] == 1_000 for unit in chosen) == 1


@pytest.mark.parametrize("k", [5, 6, 1_000])
def test_a_pilot_of_all_units_is_all_units(k: int) -> None:
    assert choose_units(5, k, "x") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("unit_rows", [1, 3])
@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("pilot", [[], [0], [9], [0, 1, 2], [3, 7], list(range(10))])
def test_pilot_and_rest_part_the_table_without_gap_or_overlap(
    pilot: list[int], size: int, unit_rows: int
) -> None:
    rows = 10 * unit_rows - (unit_rows > 1)  # the last unit is short where it can be
    spec = UnitSpec(kind="rows", size=unit_rows)
    rest = list(around(cut_rows(spec, rows, size), pilot, unit_rows))
    units = [
        unit for item in rest for unit in range(item.first_unit, item.first_unit + item.unit_count)
    ]
    assert units == [unit for unit in range(10) if unit not in pilot]
    for item in rest:
        assert item.no == item.first_unit
        assert item.first_row == item.first_unit * unit_rows
        assert item.row_count == min(item.unit_count * unit_rows, rows - item.first_row)


def test_a_table_that_was_piloted_is_not_cut_again() -> None:
    assert list(around([ShardRange(0, 0, 1, 0, 50)], [0], 50)) == []


def test_what_the_pilot_took_is_extended_to_all_units_and_the_rest_comes_from_the_price() -> None:
    report = report_of(
        [
            PilotedStage("label", 5_000, 999, settled=20, succeeded=19, cost_microusd=400,
                         work_ms=2_000),
            PilotedStage("sum", None, 70),
        ]
    )  # fmt: skip
    assert report["expected_cost_microusd"] == 400 * 250 + 70
    assert report["expected_work_ms"] == 2_000 * 250
    assert report["success"] == 0.95
    assert [stage["success"] for stage in report["stages"]] == [0.95, None]


@pytest.mark.parametrize(
    ("limits", "good"),
    [
        (None, False),
        ({"max_usd": 0.2, "min_success": 0.95}, True),
        ({"max_usd": 0.09, "min_success": 0.95}, False),
        ({"max_usd": 0.2, "min_success": 0.96}, False),
        ({"max_usd": None, "min_success": 0.9}, True),
        ({"max_usd": 0.1, "min_success": None}, True),
    ],
)
def test_a_report_is_a_yes_within_its_limits_only(
    limits: dict[str, float | None] | None, good: bool
) -> None:
    stage = PilotedStage("label", 5_000, 0, settled=20, succeeded=19, cost_microusd=400)
    assert good_enough(report_of([stage]), limits) is good


def test_a_pilot_without_any_unit_is_no_yes() -> None:
    assert not good_enough(report_of([PilotedStage("label", 0, 0)]), {"min_success": 0.0})
