"""When a worker that lives counts as deaf."""

from shared.domain.hearing import Hearing


def looks(
    hearing: Hearing, at: list[float], waiting: int | None, *, could_take: bool = True
) -> list[bool]:
    return [hearing.look(now, waiting=waiting, could_take=could_take) for now in at]


def test_messages_that_wait_while_nothing_is_heard_tell_a_deaf_worker() -> None:
    assert looks(Hearing(30, 0), [10, 20, 29, 31], waiting=4) == [False, False, False, True]


def test_a_message_heard_in_between_begins_the_time_anew() -> None:
    hearing = Hearing(30, 0)
    looks(hearing, [10, 20, 25], waiting=4)
    hearing.heard(28)
    assert looks(hearing, [31, 41, 51, 57], waiting=4) == [False] * 4


def test_empty_queues_tell_nothing_however_long() -> None:
    assert not any(looks(Hearing(30, 0), [100, 200, 300, 400], waiting=0))


def test_two_unlucky_looks_are_not_enough() -> None:
    hearing = Hearing(30, 0)
    assert not any(looks(hearing, [100, 200], waiting=1))
    assert not any(looks(hearing, [300], waiting=0))


def test_a_busy_worker_and_one_without_redis_are_not_deaf() -> None:
    assert not any(looks(Hearing(30, 0), [20, 40, 60, 80], waiting=9, could_take=False))
    assert not any(looks(Hearing(30, 0), [20, 40, 60, 80], waiting=None))


def test_who_was_busy_gets_the_whole_time_again() -> None:
    hearing = Hearing(30, 0)
    looks(hearing, [10, 20, 30], waiting=9, could_take=False)
    assert looks(hearing, [40, 50, 59, 61], waiting=9) == [False, False, False, True]
