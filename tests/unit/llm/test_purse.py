import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.budget import NOTHING, Ask, Busy, Exhausted, Spend
from shared.domain.waiting import Waiting
from shared.llm.purse import BUSY_S, PACE_S, RAISED_S, Purse


class Clock:
    """A monotonic clock that goes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Filler:
    """Counts how often more was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def filler() -> Filler:
    return Filler()


@pytest.fixture
def purse(filler: Filler, clock: Clock) -> Purse:
    return Purse(filler, clock)


CALL = Spend(microusd=10, tokens=100)


def test_an_empty_purse_asks_once_and_lets_nobody_go(purse: Purse, filler: Filler) -> None:
    for _ in range(5):
        answer = purse.may_spend(CALL)
        assert isinstance(answer, Waiting)
        assert not answer.final
    assert filler.asked == 1


def test_it_asks_for_all_that_waits_and_at_least_for_one_call(purse: Purse) -> None:
    for _ in range(9):
        purse.may_spend(CALL)
    assert purse.ask() == Ask(CALL, Spend(90, 900))


def test_a_filled_purse_lets_as_many_go_as_it_holds(purse: Purse) -> None:
    purse.filled(Spend(30, 300))
    assert [purse.may_spend(CALL) is True for _ in range(4)] == [True, True, True, False]


def test_what_a_call_did_not_cost_is_there_for_the_next(purse: Purse) -> None:
    purse.filled(CALL)
    assert purse.may_spend(CALL) is True
    purse.spent(CALL, Spend(4, 40))
    assert purse.may_spend(Spend(6, 60)) is True


def test_what_a_call_cost_too_much_is_asked_for_again(purse: Purse) -> None:
    purse.filled(CALL)
    purse.may_spend(CALL)
    purse.spent(CALL, Spend(15, 150))
    purse.may_spend(CALL)
    asked = purse.ask()
    assert asked is not None
    assert asked.least == Spend(15, 150)
    assert purse.statement().spent == Spend(15, 150)
    assert purse.statement().holding == NOTHING


def test_a_call_that_never_went_costs_nothing(purse: Purse) -> None:
    purse.filled(CALL)
    purse.may_spend(CALL)
    purse.not_spent(CALL)
    assert purse.statement().spent == NOTHING
    assert purse.statement().holding == CALL


def test_a_purse_that_runs_low_asks_before_it_is_empty(purse: Purse, filler: Filler) -> None:
    purse.filled(Spend(100, 1_000))
    for _ in range(5):
        assert purse.may_spend(CALL) is True
    assert filler.asked == 0
    assert purse.may_spend(CALL) is True
    assert filler.asked == 1


def test_a_quick_job_asks_for_some_seconds(purse: Purse, clock: Clock) -> None:
    purse.filled(Spend(100_000, 1_000_000))
    for _ in range(1_000):
        purse.may_spend(CALL)
        purse.spent(CALL, CALL)
    clock.now += PACE_S
    purse.statement(hand_back=True)
    asked = purse.ask()
    assert asked is not None
    assert asked.wanted == Spend(60_000, 600_000)  # 2,000 calls a second, for 3 s


def test_what_is_used_up_is_final_until_it_is_looked_at_again(
    purse: Purse, filler: Filler, clock: Clock
) -> None:
    why = Exhausted("job", "tokens", 100, 95)
    purse.may_spend(CALL)
    purse.refused(why)
    answer = purse.may_spend(CALL)
    assert isinstance(answer, Waiting)
    assert answer.final
    assert purse.exhausted == why
    assert filler.asked == 1
    clock.now += RAISED_S
    purse.may_spend(CALL)
    assert filler.asked == 2
    purse.filled(CALL)
    assert purse.exhausted is None
    assert purse.may_spend(CALL) is True


def test_when_others_hold_what_is_left_it_asks_again_later(
    purse: Purse, filler: Filler, clock: Clock
) -> None:
    purse.may_spend(CALL)
    purse.refused(Busy("job", "tokens"))
    answer = purse.may_spend(CALL)
    assert isinstance(answer, Waiting)
    assert not answer.final
    assert filler.asked == 1
    clock.now += BUSY_S
    purse.may_spend(CALL)
    assert filler.asked == 2


def test_an_idle_purse_can_be_handed_back(purse: Purse, clock: Clock) -> None:
    purse.filled(Spend(100, 1_000))
    purse.may_spend(CALL)
    clock.now += 10
    assert purse.idle_s == 0  # its call is still under way
    assert purse.statement(hand_back=True).holding == CALL
    purse.spent(CALL, CALL)
    clock.now += 10
    assert purse.idle_s == 10
    assert purse.statement(hand_back=True).holding == NOTHING


def test_a_slice_that_was_taken_away_is_not_spent(purse: Purse) -> None:
    purse.filled(Spend(100, 1_000))
    purse.confirm(purse.statement(), NOTHING)
    assert purse.may_spend(CALL) is not True


def test_a_new_purse_counts_on_from_what_was_settled(purse: Purse) -> None:
    purse.start_from(Spend(70, 700))
    purse.filled(CALL)
    purse.start_from(Spend(70, 700))
    purse.may_spend(CALL)
    purse.spent(CALL, CALL)
    assert purse.statement().spent == Spend(80, 800)


def test_a_call_waits_for_a_slice_that_is_on_its_way() -> None:
    async def scenario() -> None:
        purse = Purse(lambda: threading.Thread(target=lambda: purse.filled(CALL)).start())
        assert await purse.may_spend_soon(CALL) is True

    asyncio.run(scenario())


def test_a_call_does_not_wait_where_the_budget_is_used_up() -> None:
    async def scenario() -> None:
        purse = Purse(lambda: purse.refused(Exhausted("job", "tokens", 1, 1)))
        answer = await purse.may_spend_soon(CALL, patience_s=60)
        assert isinstance(answer, Waiting)
        assert answer.final

    asyncio.run(scenario())


costs = st.integers(0, 50)


@given(st.lists(st.tuples(st.sampled_from(["fill", "call", "end"]), costs, costs), max_size=60))
def test_held_and_spent_always_add_up_to_what_was_granted(steps: list) -> None:
    """As long as no call costs more than its estimate."""
    purse, granted, under_way, paid = Purse(lambda: None), 0, [], 0
    for step, amount, share in steps:
        if step == "fill":
            purse.filled(Spend(amount))
            granted += amount
        elif step == "call" and purse.may_spend(Spend(amount)) is True:
            under_way.append(amount)
        elif step == "end" and under_way:
            estimate = under_way.pop()
            actual = min(estimate, share)
            purse.spent(Spend(estimate), Spend(actual))
            paid += actual
        stated = purse.statement()
        assert stated.spent == Spend(paid)
        assert stated.spent + stated.holding == Spend(granted)
        assert sum(under_way) <= stated.holding.microusd


def test_a_call_nobody_answered_is_gone_with_its_estimate(purse: Purse) -> None:
    # given two calls under way
    call = Spend(microusd=10, tokens=100, ms=2_000)
    purse.filled(call + call)
    for _ in range(2):
        assert purse.may_spend(call) is True

    # when one is cut off, and then the other answered
    purse.unanswered(call, took_ms=5_000)
    purse.spent(call, Spend(4, 40, 1_000))

    # then money and tokens of the first are unknown, its time is spent, and nothing came back
    stated = purse.statement()
    assert stated.unanswered == Spend(microusd=10, tokens=100)
    assert stated.spent == Spend(4, 40, 6_000)
    assert (stated.holding.microusd, stated.holding.tokens) == (6, 60)


def test_a_purse_made_anew_counts_on_from_what_was_booked(purse: Purse) -> None:
    purse.start_from(Spend(tokens=7), Spend(tokens=5))
    purse.filled(CALL)
    assert purse.may_spend(CALL) is True
    purse.unanswered(CALL, took_ms=0)
    stated = purse.statement()
    assert (stated.spent.tokens, stated.unanswered.tokens) == (7, 105)
