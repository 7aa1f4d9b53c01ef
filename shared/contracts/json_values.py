"""Which JSON values the system can store: bounded depth, 64 bit integers, clean text."""

import math
from typing import Any

import orjson

from shared.contracts.findings import Finding, error, json_pointer

MAX_DEPTH = 32
_INT64 = 2**63


def value_findings(value: Any, max_depth: int = MAX_DEPTH) -> list[Finding]:
    """Return what Postgres or Arrow could not hold of a JSON value, each with its pointer.

    Walks without recursion, so that a document nested a million deep is an answer, not a crash.
    """
    found: list[Finding] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        path, item = waiting.pop()
        problem = _problem(item, len(path), max_depth)
        if problem is not None:
            found.append(error(problem[0], json_pointer(*path), problem[1]))
        else:
            waiting.extend(_children(path, item))
    return sorted(found, key=lambda finding: finding.pointer)


def canonical_json(value: Any) -> bytes:
    """Return the one byte form of a JSON value: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _problem(item: Any, depth: int, max_depth: int) -> tuple[str, str] | None:
    if isinstance(item, str):
        return _text_problem(item)
    if isinstance(item, bool) or item is None:
        return None
    if isinstance(item, int) and not -_INT64 <= item < _INT64:
        return "invalid", "Whole numbers must fit into 64 bits; write larger ones as text."
    if isinstance(item, float) and not math.isfinite(item):
        return "invalid", "NaN and infinity are not JSON; use null."
    if isinstance(item, (dict, list)):
        return _nested_problem(item, depth, max_depth)
    return None if isinstance(item, (int, float)) else ("invalid", "This is not a JSON value.")


def _nested_problem(item: Any, depth: int, max_depth: int) -> tuple[str, str] | None:
    if depth >= max_depth:
        return "too_deep", f"Nest at most {max_depth} levels deep."
    if isinstance(item, dict):
        for key in item:
            if not isinstance(key, str) or _text_problem(key) is not None:
                return "invalid", "Names of fields must be text without NUL or lone surrogates."
    return None


def _text_problem(text: str) -> tuple[str, str] | None:
    if "\0" in text:
        return "invalid", "Remove the NUL character from this text."
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "invalid", "Remove the lone surrogate from this text; it is not valid UTF-8."
    return None


def _children(path: tuple[str | int, ...], item: Any) -> list[tuple[tuple[str | int, ...], Any]]:
    if isinstance(item, dict):
        return [((*path, key), child) for key, child in item.items()]
    if isinstance(item, list):
        return [((*path, index), child) for index, child in enumerate(item)]
    return []
