"""Whether and when an attempt is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.retry import LONGEST_PAUSE_S, Failure, TryAgain, next_step

FLAKY = Failure("busy", "try later", transient=True)


def test_a_permanent_failure_is_never_tried_again() -> None:
    assert next_step(1, Failure("broken", ""), retries=20, jitter=0.5) == "failed"
    assert next_step(1, Failure("odd", "", outcome="invalid"), 20, 0.5) == "invalid"


def test_a_transient_failure_is_tried_again_as_often_as_allowed() -> None:
    steps = [next_step(attempt, FLAKY, retries=2, jitter=0.0) for attempt in (1, 2, 3)]
    assert steps == [TryAgain(0.0), TryAgain(0.0), "failed"]
    assert next_step(1, FLAKY, retries=0, jitter=0.0) == "failed"


@pytest.mark.parametrize(("attempt", "pause"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (20, 30)])
def test_pauses_double_up_to_a_minute_and_are_spread_by_jitter(attempt: int, pause: float) -> None:
    assert next_step(attempt, FLAKY, retries=20, jitter=0.5) == TryAgain(pause)


@given(
    attempt=st.integers(1, 20),
    jitter=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, 1e5),
)
def test_a_pause_is_at_least_what_was_asked_for(
    attempt: int, jitter: float, asked: float | None
) -> None:
    failure = Failure("busy", "", transient=True, retry_after_s=asked)
    step = next_step(attempt, failure, retries=20, jitter=jitter)
    assert isinstance(step, TryAgain)
    assert (asked or 0.0) <= step.delay_s <= max(asked or 0.0, LONGEST_PAUSE_S)
