"""What a JSON row may hold before it becomes part of a table."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_DEPTH = 64
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
SURROGATE = re.compile("[\ud800-\udfff]")


class RowError(ValueError):
    """A row holds what no table can keep; ``pointer`` is a JSON Pointer to the place."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or '/'}: {detail}")
        self.pointer = pointer
        self.detail = detail


def check_rows(rows: Any, pointer: str = "") -> None:
    """Raise `RowError` at the first value of ``rows`` that no table can keep.

    ``rows`` is what a client sent as parsed JSON. Refused are: anything but a list of objects,
    nesting deeper than 64, integers outside signed 64 bit, numbers that are not finite, lone
    surrogates and NUL characters (also in keys). ``pointer`` says where ``rows`` itself stood.
    """
    if not isinstance(rows, list):
        raise RowError(pointer, "rows must be a list of objects")
    for index, row in enumerate(rows):
        check_row(row, f"{pointer}/{index}")


def check_row(row: Any, pointer: str = "") -> None:
    """Raise `RowError` unless ``row`` is an object that a table can keep (see `check_rows`)."""
    if not isinstance(row, dict):
        raise RowError(pointer, f"a row must be an object, not {_kind(row)}")
    _check_object(row, pointer, 1)


def below(pointer: str, key: str | int) -> str:
    """Return the JSON Pointer of the member ``key`` of what ``pointer`` names."""
    return f"{pointer}/{printable(str(key)).replace('~', '~0').replace('/', '~1')}"


def printable(text: str) -> str:
    """Return ``text`` without what UTF-8 cannot carry, for use in messages."""
    return SURROGATE.sub("\ufffd", text)


def _check_object(value: Mapping[Any, Any], pointer: str, depth: int) -> None:
    for key, item in value.items():
        if not (type(key) is str and key.isascii() and "\0" not in key):
            _check_key(key, pointer)
        kind = type(item)
        if kind is str:
            if item.isascii() and "\0" not in item:
                continue
        elif item is None or kind is bool:
            continue
        _check_value(item, pointer, key, depth)


def _check_key(key: Any, pointer: str) -> None:
    if not isinstance(key, str):
        raise RowError(pointer, "a key must be a string")
    fault = _text_fault(key)
    if fault is not None:
        raise RowError(below(pointer, key), f"the key has {fault}")


def _check_value(value: Any, parent: str, key: str | int, depth: int) -> None:
    if isinstance(value, str):
        fault = _text_fault(value)
        if fault is not None:
            raise RowError(below(parent, key), f"the text has {fault}")
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX:
            raise RowError(below(parent, key), "the integer does not fit 64 bits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise RowError(below(parent, key), "the number is not finite")
    elif isinstance(value, (dict, list)):
        _check_nested(value, below(parent, key), depth + 1)
    else:
        raise RowError(below(parent, key), f"{_kind(value)} is not a JSON value")


def _check_nested(value: Mapping[Any, Any] | Sequence[Any], pointer: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise RowError(pointer, f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        _check_object(value, pointer, depth)
    else:
        for index, item in enumerate(value):
            _check_value(item, pointer, index, depth)


def _text_fault(text: str) -> str | None:
    if "\0" in text:
        return "a NUL character"
    if not text.isascii() and SURROGATE.search(text):
        return "a lone surrogate"
    return None


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
