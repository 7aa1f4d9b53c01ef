"""How units are cut into shards, and which jobs may have how many out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.plan import UnitSpec
from shared.domain.shard import cut_rows, fair_shares, shard_size, unit_total, window


@pytest.mark.parametrize(
    ("units", "slots", "size"),
    [(0, 4, 1), (1, 4, 1), (16, 4, 1), (17, 4, 2), (1_000, 4, 63), (10**6, 4, 500), (40, 0, 10)],
)
def test_each_slot_gets_about_four_shards_within_limits(units: int, slots: int, size: int) -> None:
    assert shard_size(units, slots, most=500) == size


def test_a_setting_forces_the_size_below_the_limit() -> None:
    assert shard_size(1_000, 4, most=500, forced=7) == 7
    assert shard_size(1_000, 4, most=500, forced=9_999) == 500


@pytest.mark.parametrize(
    ("spec", "rows", "units"),
    [
        (UnitSpec("table"), 0, 1),
        (UnitSpec("table"), 50, 1),
        (UnitSpec("rows"), 0, 0),
        (UnitSpec("rows", size=3), 6, 2),
        (UnitSpec("rows", size=3, overlap=2), 7, 3),
    ],
)
def test_units_of_a_table_are_counted(spec: UnitSpec, rows: int, units: int) -> None:
    assert unit_total(spec, rows) == units


@given(
    rows=st.integers(0, 2_000),
    unit_rows=st.integers(1, 20),
    overlap=st.integers(0, 5),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    bytes_per_row=st.just(0.0) | st.floats(0.01, 5_000),
    max_bytes=st.integers(0, 20_000),
)
def test_shards_part_the_units_and_the_rows_even_when_cut_in_several_goes(
    rows: int, unit_rows: int, overlap: int, sizes: list[int], bytes_per_row: float, max_bytes: int
) -> None:
    """Each go stops after its first shard, as a killed planner would; the next has another size."""
    spec = UnitSpec("rows", size=unit_rows, overlap=overlap)
    shards, next_unit = [], 0
    for number, size in enumerate(sizes):
        cut = cut_rows(
            spec, rows, size, from_unit=next_unit, bytes_per_row=bytes_per_row, max_bytes=max_bytes
        )
        for shard in cut:
            shards.append(shard)
            next_unit = shard.first_unit + shard.unit_count
            if number < len(sizes) - 1:
                break

    units = [u for one in shards for u in range(one.first_unit, one.first_unit + one.unit_count)]
    own = [r for one in shards for r in range(one.first_row, one.first_row + one.row_count)]
    assert units == list(range(unit_total(spec, rows)))
    assert own == list(range(rows))
    assert [one.no for one in shards] == [one.first_unit for one in shards]
    assert all(1 <= one.unit_count <= max(sizes) for one in shards)


def test_large_rows_make_small_shards_but_never_empty_ones() -> None:
    shards = list(cut_rows(UnitSpec("rows"), 10, 5, bytes_per_row=400.0, max_bytes=1_000))
    assert [one.unit_count for one in shards] == [2] * 5
    huge = list(cut_rows(UnitSpec("rows"), 3, 5, bytes_per_row=1e9, max_bytes=1_000))
    assert [one.unit_count for one in huge] == [1, 1, 1]


def test_a_window_is_twice_the_slots_by_fair_share_and_at_least_two() -> None:
    assert window(8, {"only": 5.0}, "only") == 16
    weights = {"large": 30.0, "small": 10.0}
    assert window(8, weights, "large") == 12
    assert window(8, weights, "small") == 4
    crowd = {str(number): 1.0 for number in range(100)}
    assert window(8, crowd, "7") == 2
    assert window(0, {"only": 1.0}, "only") == 2


def test_projects_share_by_weight_and_their_jobs_by_priority() -> None:
    jobs = {"a": ("one", 1, 9), "b": ("one", 1, 1), "c": ("two", 3, 5)}
    assert fair_shares(jobs) == pytest.approx({"a": 0.225, "b": 0.025, "c": 0.75})
    assert fair_shares({}) == {}
