from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.budget import (
    NOTHING,
    SLICE_PART,
    Account,
    Ask,
    Budget,
    Busy,
    Exhausted,
    Spend,
    budget_of,
    first_given,
    for_unknown_price,
    slice_of,
    wish,
)


def usd(amount: float) -> Spend:
    return Spend(microusd=round(amount * 1e6))


def job(limit: float, **books: Spend) -> Account:
    return Account("job", Budget(microusd=round(limit * 1e6)), **books)


def ask(least: float, wanted: float) -> Ask:
    return Ask(usd(least), usd(wanted))


def test_a_policy_is_read_in_millionths_and_milliseconds() -> None:
    policy = {"budget": {"usd": 1.5, "tokens": 7, "seconds": 2.5}}
    assert budget_of(policy) == Budget(1_500_000, 7, 2_500)
    assert budget_of({"budget": {"usd": None, "tokens": None}}) == Budget()
    assert budget_of({}) == Budget()


def test_a_budget_of_zero_is_a_budget() -> None:
    assert budget_of({"budget": {"usd": 0}}).given


def test_the_first_budget_that_limits_anything_holds() -> None:
    assert first_given(Budget(), Budget(tokens=5), Budget(microusd=9)) == Budget(tokens=5)
    assert first_given(Budget(), Budget()) == Budget()


def test_tokens_stand_in_for_money_where_the_price_is_not_known() -> None:
    assert for_unknown_price(Budget(microusd=5), 1_000) == Budget(microusd=5, tokens=1_000)
    assert for_unknown_price(Budget(microusd=5, tokens=7), 1_000).tokens == 7
    assert for_unknown_price(Budget(), 1_000) == Budget()


def test_a_slice_is_a_part_of_what_is_left() -> None:
    books = job(8, spent=usd(2), reserved=usd(1), unknown=usd(1))
    assert slice_of([books], ask(0.01, 100)) == usd(4 / SLICE_PART)


def test_a_slice_is_no_more_than_wanted() -> None:
    assert slice_of([job(8)], ask(0.01, 0.02)) == usd(0.02)


def test_a_slice_lets_one_call_go_even_near_the_end() -> None:
    assert slice_of([job(1, spent=usd(0.8))], ask(0.2, 0.9)) == usd(0.2)


def test_the_end_is_reached_when_the_next_call_would_go_over() -> None:
    found = slice_of([job(1, spent=usd(0.85), unknown=usd(0.05))], ask(0.2, 0.9))
    assert found == Exhausted("job", "microusd", 1_000_000, 900_000)
    assert found.reason() == {
        "kind": "budget", "scope": "job", "measure": "usd", "limit": 1.0, "spent": 0.9,
    }  # fmt: skip


def test_what_others_hold_may_come_back() -> None:
    assert slice_of([job(1, reserved=usd(0.9))], ask(0.2, 0.9)) == Busy("job", "microusd")


def test_the_project_may_be_the_one_at_its_limit() -> None:
    project = Account("project", Budget(tokens=100), spent=Spend(tokens=90))
    found = slice_of([job(1), project], Ask(Spend(10, 20, 0), Spend(10, 20, 0)))
    assert found == Exhausted("project", "tokens", 100, 90)


def test_a_measure_without_a_limit_is_given_as_wanted() -> None:
    found = slice_of([job(1)], Ask(NOTHING, Spend(0, 5_000, 900)))
    assert found == Spend(0, 5_000, 900)


def test_a_free_model_goes_on_with_a_budget_of_nothing() -> None:
    assert slice_of([job(0)], Ask(Spend(tokens=10), Spend(tokens=40))) == Spend(tokens=40)


def test_the_wish_is_for_some_calls_or_some_seconds() -> None:
    assert wish(Spend(10, 100, 0), NOTHING) == Spend(40, 400, 0)
    assert wish(Spend(10, 100, 0), Spend(1_000, 0, 50)) == Spend(3_000, 400, 150)


amounts = st.integers(0, 10_000)
spends = st.builds(Spend, amounts, amounts, amounts)
limits = st.one_of(st.none(), amounts)
accounts = st.builds(
    Account,
    st.just("job"),
    st.builds(Budget, limits, limits, limits),
    spends, spends, spends,
)  # fmt: skip


@given(accounts, accounts, spends, spends)
def test_a_slice_never_goes_over_any_limit(
    one: Account, other: Account, least: Spend, wanted: Spend
) -> None:
    found = slice_of([one, other], Ask(least, wanted))
    if not isinstance(found, Spend):
        return
    assert least.fits(found)
    assert found.fits(wanted.most(least))
    for books in (one, other):
        for name in ("microusd", "tokens", "ms"):
            limit, got = getattr(books.budget, name), getattr(found, name)
            used = sum(getattr(part, name) for part in (books.spent, books.reserved, books.unknown))
            assert limit is None or got == 0 or used + got <= limit


@given(st.integers(0, 10**9), st.integers(1, 1_000), st.integers(1, 5))
def test_slices_use_up_a_budget_to_less_than_one_call(limit: int, call: int, holders: int) -> None:
    """Processes that spend all they get end exhausted, with less than one call left."""
    spent, steps = 0, 0
    while steps < 10_000:
        steps += 1
        books = Account("job", Budget(microusd=limit), spent=Spend(spent))
        wanted = Spend(max(call, limit // holders))
        found = slice_of([books], Ask(Spend(call), wanted))
        if isinstance(found, Exhausted):
            break
        assert isinstance(found, Spend)
        spent += found.microusd
    assert isinstance(found, Exhausted)
    assert limit - spent < call


@pytest.mark.parametrize("measure", ["tokens", "seconds"])
def test_a_reason_is_told_in_the_units_of_the_policy(measure: str) -> None:
    name, per = {"tokens": ("tokens", 1), "seconds": ("ms", 1_000)}[measure]
    reason = Exhausted("job", name, 4 * per, 3 * per).reason()  # type: ignore[arg-type]
    assert (reason["measure"], reason["limit"], reason["spent"]) == (measure, 4, 3)


def test_the_end_of_a_day_says_when_the_next_one_begins() -> None:
    day = Account(
        "day", Budget(microusd=100), spent=Spend(microusd=95), day=date(2026, 2, 28)
    )  # fmt: skip
    full = slice_of([day], Ask(Spend(microusd=10), Spend(microusd=10)))
    assert full == Exhausted("day", "microusd", 100, 95, date(2026, 2, 28))
    assert full.reason()["until"] == "2026-03-01T00:00:00Z"
    assert full.reason()["scope"] == "day"
