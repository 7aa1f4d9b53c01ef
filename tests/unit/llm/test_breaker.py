"""Breakers of endpoints and jobs."""

import pytest

from shared.domain.model_call import CallFailure, Reply, Usage
from shared.llm.breaker import FIRST_REST_S, EndpointBreaker, job_breaker_trips

GOOD = Reply("x", (), "stop", None, Usage(1, 1), "m")
DOWN = CallFailure("overloaded", "")
WRONG = CallFailure("bad_output", "")


def _after(came: list[Reply | CallFailure]) -> EndpointBreaker:
    breaker = EndpointBreaker()
    for one in came:
        breaker.note(one, 100.0)
    return breaker


def test_half_of_the_last_twenty_calls_open_it():
    assert _after([GOOD, DOWN] * 10).wait_s(100.0) == FIRST_REST_S
    assert _after([GOOD] * 11 + [DOWN] * 9).wait_s(100.0) == 0
    assert _after([DOWN] * 19).wait_s(100.0) == 0


def test_wrong_answers_do_not_speak_against_the_endpoint():
    assert not _after([WRONG] * 40).is_open


def test_after_its_rest_one_call_tries_and_the_others_wait():
    breaker = _after([DOWN] * 20)

    assert breaker.wait_s(106.0) == 0
    assert breaker.wait_s(106.0) > 0


def test_a_trial_that_succeeds_closes_it():
    breaker = _after([DOWN] * 20)
    breaker.wait_s(106.0)

    breaker.note(GOOD, 106.5)

    assert not breaker.is_open
    assert breaker.wait_s(106.5) == 0


def test_a_trial_that_fails_rests_twice_as_long():
    breaker = _after([DOWN] * 20)
    breaker.wait_s(106.0)

    breaker.note(DOWN, 107.0)

    assert breaker.wait_s(107.0) == 2 * FIRST_REST_S


def test_late_answers_of_earlier_calls_do_not_lengthen_the_rest():
    breaker = _after([DOWN] * 20)

    for _ in range(50):
        breaker.note(DOWN, 101.0)

    assert breaker.wait_s(101.0) == FIRST_REST_S - 1


def test_a_trial_that_never_reports_does_not_block_for_ever():
    breaker = _after([DOWN] * 20)
    breaker.wait_s(106.0)

    assert breaker.wait_s(1_000.0) == 0


@pytest.mark.parametrize(
    ("succeeded", "permanent", "turned_away", "codes", "trips"),
    [
        (0, 10, 0, [], True),
        (1, 10, 0, [], False),
        (1, 10, 9, [], False),
        (1, 10, 10, [], True),
        (0, 9, 9, [], False),
        (0, 0, 0, ["truncated"] * 18 + ["other"] * 2, True),
        (0, 0, 0, ["truncated"] * 17 + ["other"] * 3, False),
        (0, 0, 0, ["other"] * 20 + ["truncated"] * 50, True),
        (0, 0, 0, [], False),
    ],
)
def test_a_job_that_cannot_succeed_is_told(
    succeeded: int, permanent: int, turned_away: int, codes: list[str], trips: bool
):
    told = job_breaker_trips(
        succeeded=succeeded, permanent=permanent, first_codes=codes, turned_away=turned_away
    )
    assert told is trips


def test_asking_how_long_it_rests_changes_nothing() -> None:
    breaker = EndpointBreaker()
    assert breaker.rest_s(0.0) == 0.0
    for _ in range(20):
        breaker.note(CallFailure("overloaded", "down"), 0.0)
    assert breaker.rest_s(1.0) == breaker.rest_s(1.0) == 4.0
    assert breaker.rest_s(9.0) == 0.0
    assert breaker.wait_s(9.0) == 0.0  # the one trial is still to be had
