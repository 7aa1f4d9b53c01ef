"""Opaque page marks, each bound to one list of one project and to one order."""

import base64
import hmac
from typing import Any

import orjson

from services.api.problems import invalid
from shared.contracts.cursors import MARK_BYTES, mark, write

__all__ = ["read", "write"]

_POINTER = "/query/cursor"


def read(scope: str, cursor: str, *kinds: type) -> list[Any]:
    """Return the position; 422 unless `write` made it for this scope, with values of `kinds`.

    The mark tells mistakes and tampering apart from cursors; it guards nothing, since every query
    is bound to the project by itself.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        given, body = raw[:MARK_BYTES], raw[MARK_BYTES:]
        position = orjson.loads(body) if hmac.compare_digest(given, mark(scope, body)) else None
    except ValueError:
        position = None
    if not isinstance(position, list) or [type(item) for item in position] != list(kinds):
        raise invalid(_POINTER, "This cursor is not one of this list; start without it.")
    return position
