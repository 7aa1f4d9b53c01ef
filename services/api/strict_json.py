"""Reads JSON the strict way: UTF-8, no NaN, no doubled names, bounded depth, never a crash."""

import json
import re
from typing import Any

MAX_DEPTH = 400  # rows are held to a much smaller one later, with a pointer
_MAX_DIGITS = 4_000  # Python refuses to read longer numbers
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class NotJson(ValueError):
    """The text is not JSON as this interface reads it; the message says why."""


def parse(body: bytes) -> Any:
    """Return the value of a JSON text; raises NotJson.

    Depth is measured before parsing. Lone surrogates and huge whole numbers pass: where they
    matter they are refused with a pointer.
    """
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise NotJson("The body begins with a byte order mark; send plain UTF-8.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"The body is not UTF-8 (byte {error.start}).") from error
    _refuse_deep(body)
    return _parse(text)


def _refuse_deep(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise NotJson(f"The body is nested more than {MAX_DEPTH} levels deep.")


def _parse(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_whole_number,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotJson(f"The body is not JSON: {error.msg} ({where}).") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        doubled = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        shown = doubled[:100].encode("unicode_escape").decode()
        raise NotJson(f'The name "{shown}" appears twice in one object.')
    return found


def _refuse_constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON; use null.")


def _whole_number(digits: str) -> int:
    return int(digits[:_MAX_DIGITS])
