"""JSON answers and the forms values have in them: times end in Z, absent is null."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Response, request

JSON = "application/json"


def answer(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON response; `body` holds only JSON values."""
    return Response(orjson.dumps(body), status, dict(headers or {}), content_type=JSON)


def answer_with_etag(
    body: Mapping[str, Any], *, tag: str | None = None, version: int | None = None
) -> Response:
    """Return the body, or 304 without it where the client has it (`If-None-Match`).

    The ETag is `tag`, or a digest of the body, after ``version-`` where there is one: the part an
    edit depends on (`preconditions.py`).
    """
    response = answer(body)
    digest = tag or hashlib.sha256(response.get_data()).hexdigest()[:32]
    response.set_etag(digest if version is None else f"{version}-{digest}")
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response


def moment(value: datetime | None) -> str | None:
    """Return an aware time as RFC 3339 in UTC, to the millisecond."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    """Return the whole milliseconds between two times, None while one is missing."""
    if start is None or end is None:
        return None
    return round((end - start).total_seconds() * 1_000)
