"""Requests in a minute that slides: what is let through, and when the next one may come."""

import pytest

from shared.domain.request_rate import RequestCounts

START = 1_000 * 60.0  # the beginning of a minute of the clock


def taken(counts: RequestCounts, limit: int, now: float, tries: int) -> int:
    return sum(counts.take({"k": limit}, now) is None for _ in range(tries))


def test_no_more_than_the_limit_comes_in_a_minute() -> None:
    counts = RequestCounts()
    assert taken(counts, 10, START, 15) == 10
    assert taken(counts, 10, START + 59, 5) == 0


def test_the_minute_before_counts_as_far_as_it_is_still_inside() -> None:
    counts = RequestCounts()
    taken(counts, 10, START + 1, 10)
    assert taken(counts, 10, START + 60, 5) == 0
    assert taken(counts, 10, START + 90, 20) == 5
    assert taken(counts, 10, START + 240, 20) == 10


@pytest.mark.parametrize("at", [0, 1, 17.5, 59.9])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_who_waits_as_told_is_let_through_and_who_does_not_is_not(at: float, limit: int) -> None:
    counts = RequestCounts()
    taken(counts, limit, START + at, limit)
    wait_s = counts.take({"k": limit}, START + at)
    assert wait_s is not None
    assert counts.take({"k": limit}, START + at + wait_s * 0.98 - 0.01) is not None
    assert counts.take({"k": limit}, START + at + wait_s + 0.01) is None


def test_a_request_that_one_limit_refuses_is_counted_by_none() -> None:
    counts = RequestCounts()
    limits = {"key": 2, "project": 10}
    assert [counts.take(limits, START) is None for _ in range(4)] == [True, True, False, False]
    assert sum(counts.take({"project": 10}, START) is None for _ in range(20)) == 8


def test_no_limit_lets_everything_through_and_counts_nothing() -> None:
    counts = RequestCounts()
    assert taken(counts, 0, START, 100) == 100
    assert counts.unshared(START) == []


def test_what_others_counted_is_counted_here_too() -> None:
    counts = RequestCounts()
    taken(counts, 10, START, 4)
    [told] = counts.unshared(START)
    assert told.count == 4
    counts.share(told, 9)
    assert counts.unshared(START) == []
    assert taken(counts, 10, START, 5) == 1


def test_a_total_of_a_minute_that_is_over_changes_nothing() -> None:
    counts = RequestCounts()
    taken(counts, 10, START, 4)
    [told] = counts.unshared(START)
    taken(counts, 10, START + 120, 1)
    counts.share(told, 1_000)
    assert taken(counts, 10, START + 120, 20) == 9


def test_who_does_not_ask_any_more_is_forgotten() -> None:
    counts = RequestCounts()
    taken(counts, 10, START, 4)
    assert counts.unshared(START + 180) == []
