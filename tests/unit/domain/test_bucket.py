import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.bucket import (
    SMALL_SHARE,
    Bucket,
    Flow,
    RateLimits,
    capacities,
    effective_weights,
    share_out,
)

PER_SECOND = RateLimits(600).per_second()  # 10 requests a second


def flow(key: str, calls: int, *, size: float = 0, virtual: float = 0, **changes: object) -> Flow:
    amounts = (float(calls), calls * size, calls * size, 0.0)
    made = {"key": key, "job_id": key, "project_id": key, "weight": 1.0, "small": False}
    return Flow(**{**made, "calls": calls, "amounts": amounts, "virtual": virtual, **changes})  # type: ignore[arg-type]


flows_strategy = st.lists(
    st.builds(
        lambda calls, size, virtual, weight, small, project: (
            calls, size, virtual, weight, small, project,
        ),
        st.integers(1, 50), st.floats(0, 3_000), st.floats(0, 5), st.sampled_from([0.5, 1, 10]),
        st.booleans(), st.sampled_from("pq"),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def made(drawn: list) -> list[Flow]:
    return [
        flow(f"f{i}", calls, size=size, virtual=virtual, weight=weight, small=small,
             project_id=project)
        for i, (calls, size, virtual, weight, small, project) in enumerate(drawn)
    ]  # fmt: skip


def test_limits_per_minute_are_split_over_seconds_and_processes() -> None:
    limits = RateLimits(600, input_tokens_per_minute=6_000)
    assert limits.per_second() == (10, None, 100, None)
    assert limits.per_second(processes=4) == (2.5, None, 25, None)


def test_a_bucket_holds_a_second_and_at_least_one_request() -> None:
    assert capacities(RateLimits(600, 60_000).per_second()) == (10, 1_000, 0, 0)
    assert capacities(RateLimits(6).per_second())[0] == 1


def test_what_is_enough_for_all_is_given_to_all() -> None:
    assert share_out((10, 0, 0, 0), PER_SECOND, [flow("a", 4), flow("b", 6)]) == [4, 6]


def test_without_a_limit_everything_is_given() -> None:
    assert share_out((0, 0, 0, 0), RateLimits().per_second(), [flow("a", 1_000)]) == [1_000]


def test_two_flows_share_equally() -> None:
    assert share_out((10, 0, 0, 0), PER_SECOND, [flow("a", 90), flow("b", 90)]) == [5, 5]


def test_what_one_does_not_want_the_others_get() -> None:
    flows = [flow("a", 90), flow("b", 2), flow("c", 90)]
    assert share_out((10, 0, 0, 0), PER_SECOND, flows) == [4, 2, 4]


def test_weights_decide_the_shares() -> None:
    flows = [flow("a", 900, weight=1.0), flow("b", 900, weight=3.0)]
    assert share_out((100, 0, 0, 0), PER_SECOND, flows) == pytest.approx([25, 75], abs=1)


def test_a_project_with_many_jobs_gets_no_more_than_one_with_one() -> None:
    many = [flow(f"a{i}", 900, project_id="many") for i in range(5)]
    given_out = share_out((100, 0, 0, 0), PER_SECOND, [*many, flow("b", 900)])
    assert given_out == pytest.approx([10, 10, 10, 10, 10, 50], abs=1)


def test_a_job_in_two_processes_gets_no_more_than_one_in_one() -> None:
    flows = [
        flow("one/a", 900, job_id="a", project_id="a"),
        flow("two/a", 900, job_id="a", project_id="a"),
        flow("one/b", 900, job_id="b", project_id="b"),
    ]
    assert effective_weights(flows) == [0.5, 0.5, 1.0]
    # one helping more or less; who got less comes first the next time
    assert share_out((1_000, 0, 0, 0), PER_SECOND, flows) == pytest.approx([250, 250, 500], abs=63)


def test_a_small_job_among_many_large_ones_gets_its_tenth() -> None:
    flows = [flow(f"large {i}", 900) for i in range(99)] + [flow("small", 900, small=True)]
    weights = effective_weights(flows)
    assert weights[-1] / sum(weights) == pytest.approx(SMALL_SHARE)
    assert share_out((1_000, 0, 0, 0), PER_SECOND, flows)[-1] == pytest.approx(100, abs=2)


def test_who_had_least_so_far_comes_first() -> None:
    flows = [flow("a", 5, virtual=2.0), flow("b", 5, virtual=1.0)]
    assert share_out((1, 0, 0, 0), PER_SECOND, flows) == [0, 1]


def test_nobody_overtakes_a_large_call_that_does_not_fit_yet() -> None:
    limits = RateLimits(None, 60_000).per_second()  # 1,000 tokens a second
    flows = [flow("large", 1, size=900), flow("short", 9, size=10, virtual=1.0)]
    assert share_out((0, 500, 0, 0), limits, flows) == [0, 0]


def test_a_call_larger_than_the_bucket_goes_when_the_bucket_is_full() -> None:
    limits = RateLimits(None, 60_000).per_second()
    assert share_out((0, 999, 0, 0), limits, [flow("huge", 2, size=5_000)]) == [0]
    assert share_out((0, 1_000, 0, 0), limits, [flow("huge", 2, size=5_000)]) == [1]


@given(flows_strategy, st.floats(-2_000, 20), st.floats(-2_000, 1_000))
def test_nothing_is_given_that_is_not_there(drawn: list, requests: float, tokens: float) -> None:
    rates, flows = RateLimits(1_200, 60_000).per_second(), made(drawn)
    given_out = share_out((requests, tokens, 0, 0), rates, flows)
    for measure, level in enumerate((requests, tokens)):
        taken = sum(f.amounts[measure] * n / f.calls for f, n in zip(flows, given_out, strict=True))
        one = max(f.amounts[measure] / f.calls for f in flows)
        assert taken <= max(level, 0) + one + 1e-6  # the last call may overdraw
    assert all(0 <= n <= f.calls for f, n in zip(flows, given_out, strict=True))


@given(flows_strategy, st.floats(0, 20))
def test_nothing_stays_that_somebody_could_use(drawn: list, level: float) -> None:
    flows = made(drawn)
    given_out = share_out((level, 0, 0, 0), RateLimits(1_200).per_second(), flows)
    left = level - sum(given_out)
    assert left < 1 or given_out == [f.calls for f in flows]


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(1, 400)), min_size=1, max_size=200))
def test_a_bucket_keeps_to_its_rate_in_every_window(asked: list[tuple[float, float]]) -> None:
    limits = RateLimits(None, 6_000).per_second()  # 100 tokens a second, a bucket of 100
    bucket, now, went = Bucket(limits, 0.0, (0, 100, 0, 0)), 0.0, []
    for pause, size in asked:
        now += pause
        bucket.refill(now)
        if share_out(bucket.level, limits, [flow("a", 1, size=size)]) == [1]:
            bucket.take((1, size, size, 0))
            went.append((now, size))
    largest = max(size for _, size in asked)
    for i, (first, _) in enumerate(went):
        total = 0.0
        for moment, size in went[i:]:
            total += size
            assert total <= 100 * (moment - first) + max(100, largest) + 1e-6


def test_the_time_until_a_call_may_go_is_told() -> None:
    bucket = Bucket(PER_SECOND, 0.0, (0, 0, 0, 0))
    assert bucket.ready_in_s((1, 50, 50, 0)) == pytest.approx(0.1)
    bucket.refill(0.1)
    assert bucket.ready_in_s((1, 50, 50, 0)) == pytest.approx(0, abs=1e-9)


def test_over_time_flows_of_unlike_calls_share_by_weight() -> None:
    """Requests limit one flow, tokens the other; each gets half of what it is limited by."""
    rates = RateLimits(6_000, 600_000).per_second()  # 100 requests, 10,000 tokens a second
    bucket, had, virtual = Bucket(rates, 0.0, (0, 0, 0, 0)), defaultdict(int), defaultdict(float)
    for step in range(1, 400):
        bucket.refill(step * 0.05)
        flows = [
            flow("brief", 100, size=1, virtual=virtual["brief"]),
            flow("long", 100, size=1_000, virtual=virtual["long"]),
        ]
        for one, n in zip(flows, share_out(bucket.level, rates, flows), strict=True):
            size = [amount / one.calls for amount in one.amounts]
            bucket.take([amount * n for amount in size])
            virtual[one.key] += n * max(size[0] / 100, size[1] / 10_000)
            had[one.key] += n
    assert virtual["brief"] == pytest.approx(virtual["long"], rel=0.05)
    assert math.isclose(had["brief"] / had["long"], 10, rel_tol=0.05)
