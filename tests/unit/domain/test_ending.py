"""How a job ends: the finish policy over the ledgers of its stages."""

from dataclasses import replace

import pytest

from shared.domain.job import Ending, StageLedger, ending_of

GOOD = StageLedger(
    "result", "closed", is_result=True, units=10, succeeded=10, failed=0, skipped=0, cancelled=0
)
EARLIER = replace(GOOD, name="earlier", is_result=False)


def ending(
    *ledgers: StageLedger,
    min_success: float = 1.0,
    on_shortfall: str = "partial",
    finish_as: str | None = None,
) -> Ending:
    return ending_of(
        ledgers, min_success=min_success, on_shortfall=on_shortfall, finish_as=finish_as
    )


def test_a_job_without_a_missing_unit_succeeded() -> None:
    assert ending(EARLIER, GOOD) == Ending("succeeded", None)


@pytest.mark.parametrize(("on_shortfall", "status"), [("partial", "partial"), ("failed", "failed")])
def test_the_worst_stage_decides_and_the_policy_says_how(on_shortfall: str, status: str) -> None:
    worst = replace(EARLIER, succeeded=7, failed=3)
    found = ending(worst, GOOD, on_shortfall=on_shortfall)
    assert found.status == status
    assert found.error is not None
    assert found.error["code"] == "below_min_success"
    assert "earlier: 7 of 10" in found.error["detail"]


@pytest.mark.parametrize(
    ("min_success", "status"), [(0.7, "succeeded"), (0.71, "partial"), (0.0, "succeeded")]
)
def test_the_least_share_is_enough_and_a_little_less_is_not(
    min_success: float, status: str
) -> None:
    short = replace(GOOD, succeeded=7, failed=3)
    assert ending(EARLIER, short, min_success=min_success).status == status


def test_a_result_without_a_succeeded_unit_is_failed_whatever_the_policy() -> None:
    none = replace(GOOD, succeeded=0, failed=10)
    found = ending(none, min_success=0.0)
    assert found.status == "failed"
    assert found.error is not None
    assert found.error["code"] == "no_result"


def test_an_empty_result_table_is_failed_and_an_empty_earlier_stage_is_not() -> None:
    empty = replace(GOOD, units=0, succeeded=0)
    found = ending(empty)
    assert found.status == "failed"
    assert "no units" in str(found.error)
    assert ending(replace(EARLIER, units=0, succeeded=0), GOOD).status == "succeeded"


def test_an_abandoned_stage_counts_as_nothing_and_is_named() -> None:
    abandoned = replace(EARLIER, status="abandoned", succeeded=9, failed=1)
    assert ending(abandoned, GOOD, min_success=0.5).status == "partial"
    found = ending(abandoned, replace(GOOD, status="abandoned", units=0, succeeded=0))
    assert found.status == "failed"
    assert "earlier, result" in str(found.error)


def test_a_stopped_job_ends_as_it_was_told() -> None:
    assert ending(GOOD, finish_as="cancelled") == Ending("cancelled", None)
    assert ending(replace(GOOD, succeeded=0), finish_as="failed").status == "failed"
