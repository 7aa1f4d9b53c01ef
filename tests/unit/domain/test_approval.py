"""When a plan has to wait for a yes."""

from typing import Any

import pytest

from shared.domain.approval import needs_approval


def price(high: int, *unpriced: str) -> dict[str, Any]:
    return {"total": {"cost_microusd": {"high": high}}, "unpriced": list(unpriced)}


@pytest.mark.parametrize("approval", ["plan", "pilot"])
def test_the_first_plan_of_a_job_that_asks_for_approval_waits(approval: str) -> None:
    assert needs_approval(approval, None, spent_microusd=0, price=price(0))


def test_a_job_that_asks_for_none_never_waits() -> None:
    assert not needs_approval("none", None, spent_microusd=10**9, price=price(10**9, "m"))


@pytest.mark.parametrize(
    ("spent", "high", "waits"), [(0, 100, False), (60, 40, False), (61, 40, True), (0, 101, True)]
)
def test_a_later_round_waits_above_the_approved_high_price(
    spent: int, high: int, waits: bool
) -> None:
    yes = {"high_microusd": 100}
    assert needs_approval("plan", yes, spent_microusd=spent, price=price(high)) is waits


def test_a_later_round_of_unknown_price_waits() -> None:
    yes = {"high_microusd": 100}
    assert needs_approval("plan", yes, spent_microusd=0, price=price(0, "unknown-model"))


def test_a_plan_that_acts_on_the_outside_always_waits() -> None:
    yes = {"high_microusd": 100}
    assert needs_approval("none", yes, spent_microusd=0, price=price(0), acts_outside=True)
