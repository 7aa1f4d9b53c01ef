"""Gives every request an id that its answer, its logs and its job carry."""

import re
import time

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from shared.domain.ids import PREFIXES, is_id, new_id
from shared.log import get_logger, trace_id_of

HEADER = "X-Request-Id"
_SOUND = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def install(app: Flask) -> None:
    """Take or make the id before a request, echo it and log one line after."""
    app.before_request(_begin)
    app.after_request(_end)


def traceparent() -> str | None:
    """Return the trace the caller continues, if it is well formed."""
    given = request.headers.get("traceparent", "")
    return given if trace_id_of(given) else None


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _SOUND.match(given) else new_id("req")
    g.started = time.monotonic()
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)
    if trace_id := trace_id_of(request.headers.get("traceparent")):
        bind_contextvars(trace_id=trace_id)


def _end(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    get_logger().info(
        "request",
        method=request.method if request.method in METHODS else "other",
        route=request.url_rule.rule if request.url_rule else None,
        **_ids_of_path(),
        status=response.status_code,
        duration_ms=round((time.monotonic() - g.started) * 1_000),
    )
    return response


def _ids_of_path() -> dict[str, str]:
    """Return the ids in the path, and nothing else of it: keys of records are data."""
    given = (request.view_args or {}).items()
    return {
        name: value for name, value in given if any(is_id(value, prefix) for prefix in PREFIXES)
    }
