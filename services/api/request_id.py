"""Gives every request an id that its answer, its logs and its job carry."""

import re
import time

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from shared.domain.ids import new_id
from shared.log import get_logger

HEADER = "X-Request-Id"
_SOUND = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


def install(app: Flask) -> None:
    """Take or make the id before a request, echo it and log one line after."""
    app.before_request(_begin)
    app.after_request(_end)


def traceparent() -> str | None:
    """Return the trace the caller continues, if it is well formed."""
    given = request.headers.get("traceparent", "")
    return given if _TRACEPARENT.match(given) else None


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _SOUND.match(given) else new_id("req")
    g.started = time.monotonic()
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    get_logger().info(
        "request",
        method=request.method,
        path=request.path[:200],
        status=response.status_code,
        duration_ms=round((time.monotonic() - g.started) * 1_000),
    )
    return response
