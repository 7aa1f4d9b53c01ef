"""What follows each kind of failure."""

import pytest

from shared.domain.model_call import FAILURE_KINDS, CallFailure, FailureKind
from shared.llm.retry_policy import (
    MOST_OVERLOADED,
    Choices,
    End,
    MoreTokens,
    PauseJob,
    Repair,
    Shrink,
    Step,
    TryLater,
    UseFallback,
    next_step,
)

ALMOST_ONE = 0.999


def _after(
    kind: FailureKind, times: int = 1, *, status: int | None = None, told_s: float | None = None,
    jitter: float = 0.5, **choices: object,
) -> Step:  # fmt: skip
    failure = CallFailure(kind, "", status=status, retry_after_s=told_s)
    return next_step(failure, {kind: times}, jitter, Choices(**choices))  # type: ignore[arg-type]


def test_a_rate_limit_waits_for_the_providers_word_and_cools_the_endpoint():
    assert _after("rate_limited", told_s=90.0) == TryLater(90.0, cool_down=True)


def test_a_rate_limit_never_ends_a_unit():
    assert isinstance(_after("rate_limited", 1_000), TryLater)


def test_without_credit_the_job_pauses_unless_another_endpoint_can_go_on():
    assert _after("quota") == PauseJob("provider_quota")
    assert _after("quota", fallback=True) == UseFallback()


@pytest.mark.parametrize(("times", "most_s"), [(1, 1), (2, 2), (3, 4), (7, 60), (10, 60)])
def test_overload_waits_exponentially_with_full_jitter_up_to_a_minute(times: int, most_s: float):
    most = _after("overloaded", times, jitter=ALMOST_ONE)
    least = _after("overloaded", times, jitter=0.0)

    assert isinstance(most, TryLater)
    assert most.delay_s == pytest.approx(most_s, rel=0.01)
    assert least == TryLater(0.0)


def test_overload_honours_a_longer_word_of_the_provider():
    assert _after("overloaded", told_s=75.0) == TryLater(75.0)


def test_overload_goes_to_the_fallback_at_the_third_time_and_ends_at_last():
    assert isinstance(_after("overloaded", 2, fallback=True), TryLater)
    assert _after("overloaded", 3, fallback=True) == UseFallback()
    assert isinstance(_after("overloaded", MOST_OVERLOADED), TryLater)
    assert _after("overloaded", MOST_OVERLOADED + 1) == End("failed", "overloaded")


def test_permanent_answers_end_the_unit_at_once():
    assert _after("permanent", status=400, fallback=True) == End("failed", "permanent")
    assert _after("permanent", status=404) == End("failed", "permanent")
    assert _after("redirect") == End("failed", "redirect")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_endpoint_that_takes_nothing_is_left_for_its_fallback(status: int):
    assert _after("permanent", status=status, fallback=True) == UseFallback()


def test_too_long_a_prompt_is_made_smaller_where_it_can_be():
    assert _after("context_overflow", shrinkable=True) == Shrink()
    assert _after("context_overflow") == End("failed", "context_overflow")


def test_a_deadline_burns_the_retries_of_the_unit():
    assert isinstance(_after("deadline", 2, retries=2), TryLater)
    assert _after("deadline", 3, retries=2) == End("failed", "deadline")
    assert _after("deadline", 1, retries=0) == End("failed", "deadline")


def test_a_truncated_answer_gets_more_tokens_once():
    assert _after("truncated") == MoreTokens(2)
    assert _after("truncated", 2) == End("invalid", "truncated")


def test_a_refusal_is_the_outcome():
    assert _after("refused") == End("refused", "refused")


def test_a_wrong_answer_is_repaired_twice_then_invalid():
    assert [_after("bad_output", times) for times in (1, 2, 3)] == [
        Repair(),
        Repair(),
        End("invalid", "bad_output"),
    ]


def test_a_broken_response_is_transient_twice():
    assert isinstance(_after("bad_response", 2), TryLater)
    assert _after("bad_response", 3) == End("failed", "bad_response")


def test_an_answer_too_large_to_read_fails():
    assert _after("too_large") == End("failed", "too_large")


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_every_kind_has_a_next_step_and_all_but_limits_come_to_an_end(kind: FailureKind):
    last = _after(kind, 1_000)

    assert isinstance(last, End | PauseJob) or kind == "rate_limited"
