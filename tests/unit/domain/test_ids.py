"""Identifiers sort by the time they were made and say what they are."""

import re

import pytest

from shared.domain import ids
from shared.domain.ids import PREFIXES, is_id, new_id


@pytest.mark.parametrize("prefix", PREFIXES)
def test_an_id_says_its_kind(prefix: str) -> None:
    made = new_id(prefix)
    assert re.fullmatch(prefix + "_[0-9a-hjkmnp-tv-z]{26}", made)
    assert is_id(made, prefix)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown id prefix"):
        new_id("xyz")


def test_later_ids_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_700_000_000_000_000_000, 1_900_000_000_000_000_000, 10**16))
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(clock))
    made = [new_id("job") for _ in range(20)]
    assert made == sorted(made)


def test_ids_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_700_000_000_000_000_000)
    assert len({new_id("job") for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize(
    "wrong",
    ["", "job_", "job_x", "tbl_" + "0" * 26, "job_" + "0" * 25, "job_" + "0" * 27,
     "job_" + "i" * 26, "job_" + "0" * 25 + "\x00", " job_" + "0" * 26],
)  # fmt: skip
def test_what_is_written_otherwise_is_no_id(wrong: str) -> None:
    assert not is_id(wrong, "job")
