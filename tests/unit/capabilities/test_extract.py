"""`extract`: the first match of each pattern."""

from typing import Any

import pytest

from services.worker.capabilities.extract import capability
from services.worker.capabilities.patterns import PatternTooSlowError
from tests.unit.capabilities.units import context_of, unit_of


def extracted(text: Any, **patterns: str) -> dict[str, str | None]:
    return capability.run(unit_of(text), context_of(patterns=patterns))


def test_the_first_match_is_taken() -> None:
    assert extracted("A-12 and B-34", code=r"[A-Z]-\d+") == {"code": "A-12"}


def test_group_one_is_the_value_where_there_is_one() -> None:
    assert extracted("total: 40 EUR", total=r"total: (\d+) (EUR|USD)") == {"total": "40"}


def test_what_is_not_found_is_null() -> None:
    assert extracted("nothing", code=r"\d+", sum=r"(x)?nothing") == {"code": None, "sum": None}


def test_a_null_text_gives_nulls() -> None:
    assert extracted(None, code=r"\d+") == {"code": None}


def test_line_starts_count_as_starts() -> None:
    assert extracted("Hello\nName: Zoë 東\n", name=r"^Name: (.+)$") == {"name": "Zoë 東"}


def test_a_value_that_is_no_text_is_read_as_json() -> None:
    assert extracted({"a": 1}, a=r'"a": (\d)') == {"a": "1"}
    assert extracted(42, n=r"\d+") == {"n": "42"}


def test_a_pattern_without_end_is_stopped() -> None:
    with pytest.raises(PatternTooSlowError, match="too long on this text"):
        capability.run(
            unit_of("a" * 80 + "b"), context_of(timeout_s=0.1, patterns={"x": "^(a|aa)+$"})
        )


def test_one_very_long_line_is_searched() -> None:
    assert extracted("x" * 1_000_000 + "7", n=r"\d") == {"n": "7"}
