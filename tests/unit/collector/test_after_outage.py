"""After a time in which no lease could be extended, workers get a moment to do so."""

import pytest

from services.collector.after_outage import AfterOutage

LEASE_S, HEARTBEAT_S = 30.0, 1.0
MOMENT_S = 3.0


class Clock:
    """Seconds that pass when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> AfterOutage:
    return AfterOutage(LEASE_S, HEARTBEAT_S, clock)


def after(outage: AfterOutage, clock: Clock, seconds: float) -> bool:
    clock.now += seconds
    return outage.note_answer()


def test_a_database_that_answers_again_and_again_is_believed(
    outage: AfterOutage, clock: Clock
) -> None:
    assert all(after(outage, clock, seconds) for seconds in (0.0, 1.0, 20.0, 1.0))


def test_after_a_gap_nearly_as_long_as_a_lease_nothing_is_taken_for_a_moment(
    outage: AfterOutage, clock: Clock
) -> None:
    assert not after(outage, clock, LEASE_S)
    assert not after(outage, clock, MOMENT_S / 2)
    assert after(outage, clock, MOMENT_S / 2)


def test_the_next_gap_gets_its_own_moment(outage: AfterOutage, clock: Clock) -> None:
    after(outage, clock, LEASE_S)
    assert after(outage, clock, MOMENT_S)
    assert after(outage, clock, 1.0)
    assert not after(outage, clock, LEASE_S)


def test_a_database_that_is_always_slow_delays_lost_work_once_a_look_at_most(
    outage: AfterOutage, clock: Clock
) -> None:
    assert [after(outage, clock, LEASE_S) for _ in range(4)] == [False, True, True, True]


def test_a_failed_look_is_followed_by_a_moment_however_short_it_was(
    outage: AfterOutage, clock: Clock
) -> None:
    outage.note_failure()
    assert not after(outage, clock, 0.1)
    assert not outage.is_over
    assert after(outage, clock, MOMENT_S)
    assert outage.is_over
