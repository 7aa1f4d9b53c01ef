"""Opaque page marks, each bound to one list of one project and to one order."""

import base64
import hashlib
import hmac
from typing import Any

import orjson

from services.api.problems import invalid

_MARK_BYTES = 12
_POINTER = "/query/cursor"


def write(scope: str, position: list[int | str]) -> str:
    """Return the cursor of a position; `scope` names project, list, filters and order."""
    body = orjson.dumps(position)
    return base64.urlsafe_b64encode(_mark(scope, body) + body).rstrip(b"=").decode()


def read(scope: str, cursor: str, *kinds: type) -> list[Any]:
    """Return the position; 422 unless `write` made it for this scope, with values of `kinds`.

    The mark tells mistakes and tampering apart from cursors; it guards nothing, since every query
    is bound to the project by itself.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        mark, body = raw[:_MARK_BYTES], raw[_MARK_BYTES:]
        position = orjson.loads(body) if hmac.compare_digest(mark, _mark(scope, body)) else None
    except ValueError:
        position = None
    if not isinstance(position, list) or [type(item) for item in position] != list(kinds):
        raise invalid(_POINTER, "This cursor is not one of this list; start without it.")
    return position


def _mark(scope: str, body: bytes) -> bytes:
    return hashlib.blake2b(
        scope.encode() + b"\0" + body, digest_size=_MARK_BYTES, person=b"apwa cursor"
    ).digest()
