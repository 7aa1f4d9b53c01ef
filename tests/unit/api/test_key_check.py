"""Keys of input tables."""

import pytest

from shared.actions.key_check import KeyCheck, require_column
from shared.actions.refusals import Invalid


def test_distinct_values_pass_across_batches() -> None:
    check = KeyCheck("id", "/key")
    check.add([1, 2, "1", True, 1.5])
    check.add([3, "2", False])


def test_a_repeat_in_a_later_batch_is_found_and_its_row_told() -> None:
    check = KeyCheck("id", "/key")
    check.add(["a", "b"])
    with pytest.raises(Invalid, match=r"row 3") as raised:
        check.add(["c", "a"])
    assert raised.value.code == "key_not_unique"
    assert raised.value.problems[0].pointer == "/key"


def test_null_is_no_key() -> None:
    with pytest.raises(Invalid, match="is null in row 1"):
        KeyCheck("id", "/key").add(["a", None])


def test_a_key_that_is_no_column_is_told_with_those_there_are() -> None:
    with pytest.raises(Invalid, match="there is a, b"):
        require_column(["a", "b"], "id", "/key")


def test_a_hundred_thousand_keys_are_told_apart_and_a_late_repeat_is_found() -> None:
    check = KeyCheck("id", "/key")
    check.add(range(100_000))
    check.add([f"{number}" for number in range(100_000)])
    with pytest.raises(Invalid, match="row 200000"):
        check.add([99_999])
