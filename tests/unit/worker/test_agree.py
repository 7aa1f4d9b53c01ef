"""Replicas are combined into one outcome."""

from typing import Any

import pytest

from services.worker.agree import Agreed, combine
from shared.domain.retry import Failure

A: list[dict[str, Any]] = [{"x": 1, "y": [1, {"z": None}]}]
A_OTHERWISE_WRITTEN: list[dict[str, Any]] = [{"y": [1, {"z": None}], "x": 1}]
B: list[dict[str, Any]] = [{"x": 2, "y": []}]
LOST = Failure("timeout", "too slow", transient=True)
GONE = Failure("refused", "no")


def test_answers_that_differ_in_the_order_of_their_fields_only_are_alike() -> None:
    assert combine([A, A_OTHERWISE_WRITTEN, A], "all") == Agreed(A, 1.0)


@pytest.mark.parametrize("agree", ["majority", None])
def test_more_than_half_of_all_replicas_win(agree: Any) -> None:
    assert combine([B, A, A], agree) == Agreed(A, pytest.approx(2 / 3))
    assert combine([LOST, A, A], agree) == Agreed(A, pytest.approx(2 / 3))


@pytest.mark.parametrize("answers", [[A, B], [A, GONE], [A, B, GONE], [A, A, B, B]])
def test_half_is_not_enough(answers: list[Any]) -> None:
    found = combine(answers, "majority")
    assert isinstance(found, Failure)
    assert (found.code, found.transient) == ("no_agreement", False)


def test_all_means_all() -> None:
    assert combine([A, A], "all") == Agreed(A, 1.0)
    for answers in ([A, A, B], [A, A, GONE], [A, B, LOST]):
        found = combine(answers, "all")
        assert isinstance(found, Failure)
        assert found.code == "no_agreement"


@pytest.mark.parametrize(
    ("answers", "agree"), [([A, LOST], "majority"), ([A, B, LOST], "majority"), ([A, LOST], "all")]
)
def test_a_replica_that_may_go_better_later_and_could_decide_is_waited_for(
    answers: list[Any], agree: Any
) -> None:
    assert combine(answers, agree) == LOST


def test_what_a_lost_replica_could_not_decide_anyway_is_not_waited_for() -> None:
    found = combine([A, B, [*A, *A], [*B, *B], LOST], "majority")
    assert isinstance(found, Failure)
    assert found.code == "no_agreement"


def test_without_any_answer_the_first_failure_is_the_units() -> None:
    assert combine([LOST, Failure("other", "")], "majority") == LOST


def test_rows_of_a_flat_map_are_compared_in_their_order() -> None:
    assert combine([[*A, *B], [*A, *B], [*B, *A]], "majority") == Agreed([*A, *B], 2 / 3)
    assert combine([[], [], A], "majority") == Agreed([], 2 / 3)
