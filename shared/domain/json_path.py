"""Looks a JSON Pointer (RFC 6901) up in a JSON value."""

import re
from typing import Any, Final

MISSING: Final = object()
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_POINTER = re.compile(r"(/([^~]|~[01])*)*")


def is_pointer(text: str) -> bool:
    """Return True for a JSON Pointer; the empty one is the whole document."""
    return _POINTER.fullmatch(text) is not None


def look_up(document: Any, pointer: str) -> Any:
    """Return the value at `pointer`, or MISSING."""
    value = document
    for part in pointer.split("/")[1:]:
        value = _step(value, part.replace("~1", "/").replace("~0", "~"))
        if value is MISSING:
            return MISSING
    return value


def _step(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, MISSING)
    if isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
        return value[int(name)]
    return MISSING
