"""Reads request bodies under their limits: media type, coding and size."""

from collections.abc import Iterator
from typing import Any

from flask import request
from werkzeug.exceptions import ClientDisconnected

from services.api import strict_json
from services.api.problems import Problem, invalid
from services.api.wired import wired

_BLOCK = 1 << 16
_UTF8 = ("utf-8", "utf8", "us-ascii")


def json_body() -> tuple[bytes, Any]:
    """Return the raw body and its JSON value; 413, 415 and 400 for what is not one."""
    require_media_type("application/json")
    raw = read_whole(wired().settings.body_max_bytes)
    return raw, strict_json.parse(raw)


def optional_json_body() -> tuple[bytes, Any]:
    """Return (b"", {}) for a request without a body, else what `json_body` returns."""
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        return b"", {}
    return json_body()


def no_fields() -> bytes:
    """Return the raw body of an action that takes no fields: nothing, or ``{}``; 422 else."""
    raw, document = optional_json_body()
    if document != {}:
        raise invalid("", "This action takes no fields.")
    return raw


def require_media_type(*allowed: str) -> str:
    """Return the media type of the body if it is one of `allowed`; 415 else.

    A charset other than UTF-8 is 400, and so is none of our business to convert.
    """
    require_identity_coding()
    if request.mimetype not in allowed:
        given = f"not {request.mimetype}" if request.mimetype else "which is missing"
        detail = f"Send Content-Type: {' or '.join(allowed)}, {given}."
        raise Problem(415, "unsupported_media_type", detail)
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if allowed == ("application/json",) and charset not in _UTF8:
        raise Problem(400, "invalid_json", "JSON is sent in UTF-8.")
    return request.mimetype


def require_identity_coding() -> None:
    """Refuse compressed bodies with 415."""
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise Problem(
            415,
            "unsupported_media_type",
            f"Content-Encoding {coding[:40]} is not taken; send the body as it is.",
            headers={"Accept-Encoding": "identity"},
        )


def read_whole(limit: int) -> bytes:
    """Return the body; 413 as soon as it is longer than `limit`, declared or not."""
    return b"".join(blocks(limit))


def blocks(limit: int) -> Iterator[bytes]:
    """Yield the body in pieces of at most 64 kB under a size limit."""
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit)
    read = 0
    while piece := request.stream.read(_BLOCK):
        read += len(piece)
        if read > limit:
            raise _too_large(limit)
        yield piece
    if request.content_length is not None and read < request.content_length:
        raise ClientDisconnected("The body ended early.")


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", f"The body is larger than {limit} bytes.")
