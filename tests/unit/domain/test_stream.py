"""Records of a stream: keys, duplicates, shard sizes, and when enough is enough."""

import pytest

from shared.domain.stream import (
    LONGEST_KEY,
    is_too_far_behind,
    key_text,
    new_records,
    stream_shard_size,
)


@pytest.mark.parametrize(("value", "text"), [("a/b", "a/b"), (7, "7"), (-1, "-1"), (" ", " ")])
def test_a_key_has_one_text(value: object, text: str) -> None:
    assert key_text(value) == text


@pytest.mark.parametrize("value", [None, True, 1.5, "", "x" * (LONGEST_KEY + 1), [1]])
def test_what_is_no_key_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a key"):
        key_text(value)


def test_the_first_record_of_a_new_key_is_accepted_and_every_other_is_a_duplicate() -> None:
    new = new_records(["a", "b", "a", "c", "b", "d"], {"c"})
    assert new.places == (0, 1, 5)
    assert new.duplicates == 3


def test_nothing_new_is_accepted_twice() -> None:
    assert new_records(["a", "b"], {"a", "b"}).places == ()
    assert new_records([], {"a"}).duplicates == 0


@pytest.mark.parametrize(
    ("records", "slots", "size"),
    [(1, 8, 25), (100, 8, 25), (400, 8, 50), (100, 0, 100), (5_000, 8, 100), (200, 8, 25)],
)
def test_records_are_spread_over_the_slots_in_shards_neither_tiny_nor_huge(
    records: int, slots: int, size: int
) -> None:
    assert stream_shard_size(records, slots, most=100) == size


def test_a_size_that_is_set_holds_up_to_the_most() -> None:
    assert stream_shard_size(1_000, 8, most=100, forced=1) == 1
    assert stream_shard_size(1_000, 8, most=100, forced=500) == 100
    assert stream_shard_size(1_000, 8, most=3) == 3


def test_rows_and_bytes_each_make_a_stream_too_far_behind() -> None:
    limits = {"most_rows": 100, "most_bytes": 10_000}
    assert not is_too_far_behind(99, 1_000, 50_000, **limits)
    assert is_too_far_behind(100, 1_000, 50_000, **limits)
    assert is_too_far_behind(20, 1_000, 500_000, **limits)  # of 500 bytes each
    assert not is_too_far_behind(0, 0, 0, **limits)
