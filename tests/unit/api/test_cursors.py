"""Page marks that belong to one list."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api import cursors
from services.api.problems import Problem


@given(st.lists(st.integers(-(2**53), 2**53) | st.text("job_0123", max_size=30), max_size=4))
def test_a_position_comes_back_as_it_was(position: list[int | str]) -> None:
    cursor = cursors.write("list", position)
    assert cursors.read("list", cursor, *[type(item) for item in position]) == position


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = cursors.write("project a jobs", [5])
    with pytest.raises(Problem) as raised:
        cursors.read("project b jobs", cursor, int)
    assert raised.value.status == 422


def test_a_position_of_another_form_is_refused() -> None:
    cursor = cursors.write("list", [5])
    for kinds in ([str], [int, int], []):
        with pytest.raises(Problem):
            cursors.read("list", cursor, *kinds)


@pytest.mark.parametrize("cursor", ["", "x", "ä", "a b", "=", "AAAA", "[1]", "A" * 5_000])
def test_nonsense_is_refused(cursor: str) -> None:
    with pytest.raises(Problem):
        cursors.read("list", cursor, int)


def test_a_changed_position_is_refused() -> None:
    raw = base64.urlsafe_b64decode(cursors.write("list", [100]) + "==")
    forged = base64.urlsafe_b64encode(raw.replace(b"100", b"999")).decode()
    with pytest.raises(Problem):
        cursors.read("list", forged, int)
