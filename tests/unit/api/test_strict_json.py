"""What counts as JSON at the door."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.strict_json import MAX_DEPTH, NotJson, parse

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | FLOATS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_whatever_json_writes_is_read_back(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[1,]", b"{'a': 1}", b"nul", b"1 2", b'"a', b"NaN", b"[Infinity]",
        b"[-Infinity]", b'{"a": 1, "a": 2}', b'{"x": {"a": 1, "a": 1}}', b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00", b'"\xe9"', b'"\n"', b"[01]", b"[.5]", b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000, b'"' + b"\\" * 100_001,
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJson):
        parse(body)


def test_depth_is_allowed_up_to_the_limit_and_not_beyond() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    with pytest.raises(NotJson, match="nested more"):
        parse(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_brackets_inside_text_are_not_depth() -> None:
    text = "[" * 100_000 + '\\" {'
    assert parse(json.dumps({"a": text}).encode()) == {"a": text}


def test_many_short_lists_are_not_deep() -> None:
    assert len(parse(b"[" + b",".join([b"[]"] * 100_000) + b"]")) == 100_000


def test_numbers_longer_than_python_reads_stay_large_numbers() -> None:
    assert parse(b"9" * 5_000) > 2**64
    assert parse(b"-" + b"9" * 5_000) < -(2**64)


def test_lone_surrogates_pass_so_that_a_pointer_can_be_given() -> None:
    assert parse(b'"\\ud800"') == "\ud800"


def test_a_doubled_name_is_named() -> None:
    with pytest.raises(NotJson, match='"goal" appears twice'):
        parse(b'{"goal": 1, "goal": 2}')
