"""A job pauses when it cannot come to anything, or not any more."""

from services.worker.job_breakers import JobBreakers
from services.worker.settle_unit import UnitEnd
from shared.domain.outcome import Attempted, Settled

SUCCEEDED = UnitEnd([Settled(0, "succeeded", 1)], [])
REFUSED = UnitEnd([Settled(0, "failed", 1)], [Attempted(0, 1, "failed", code="permanent")])
TURNED_AWAY = UnitEnd(
    [], [Attempted(0, 1, "retry", code="permanent", detail="HTTP 401", burned=False)], delay_s=2.0
)


def reasons(*ends: UnitEnd) -> list[object]:
    breakers = JobBreakers()
    return [breakers.note("job", end) for end in ends]


def test_a_key_withdrawn_after_a_success_pauses_the_job() -> None:
    *before, last = reasons(SUCCEEDED, *[TURNED_AWAY] * 10)

    assert before == [None] * 10
    assert last == {"kind": "breaker", "code": "permanent", "detail": "HTTP 401"}


def test_each_success_begins_the_count_of_those_turned_away_anew() -> None:
    ends = ([TURNED_AWAY] * 9 + [SUCCEEDED]) * 3

    assert reasons(*ends) == [None] * 30


def test_requests_refused_for_their_own_sake_pause_only_a_job_without_success() -> None:
    assert reasons(SUCCEEDED, *[REFUSED] * 17) == [None] * 18
    assert reasons(*[REFUSED] * 10)[-1] is not None


def test_units_that_wish_for_other_rows_do_not_stop_the_round() -> None:
    wish = UnitEnd([Settled(0, "failed", 1, code="missing_context")], [])
    alike = UnitEnd([Settled(0, "failed", 1, code="bad_response")], [])

    assert reasons(*[wish] * 30) == [None] * 30
    assert reasons(*[wish] * 5, *[alike] * 18)[-1] is not None


def test_ready_bodies_that_are_refused_one_by_one_do_not_stop_the_others() -> None:
    refused = UnitEnd([Settled(0, "failed", 1, code="answer_not_ok")], [])
    greedy = UnitEnd([Settled(0, "failed", 1, code="too_many_tokens")], [])

    assert reasons(*[refused] * 30, *[greedy] * 30) == [None] * 60
