"""Structured logs: one JSON object per line on stderr, one line per transition."""

import logging
import re
import sys
from contextlib import AbstractContextManager
from typing import Any

import structlog

from shared.settings import Settings


def configure_logging(settings: Settings, service: str) -> None:
    """Send structlog and the standard library's logs to stderr in one shape.

    Every line carries ``at`` (UTC), ``level``, ``service``, ``event`` and the ids bound with
    ``get_logger(job_id=...)`` or ``structlog.contextvars.bind_contextvars``. Call once per process.
    """
    shared_steps: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _NameService(service),
    ]
    structlog.configure(
        processors=[*shared_steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared_steps, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    _quieten()


def get_logger(**bound: object) -> structlog.stdlib.BoundLogger:
    """Return a logger with ids bound; prompts, outputs, keys and row data are never logged."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger("apwa", **bound)
    return logger


_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z"
)


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the trace of a W3C `traceparent`, None for what is none."""
    found = _TRACEPARENT.match(traceparent or "")
    return found[1] if found else None


def working_for(request_id: str | None, traceparent: str | None) -> AbstractContextManager[None]:
    """Bind the request a job came with, and its trace, to every line of this thread meanwhile.

    What is scheduled on an event loop from here has them too.
    """
    known = {"request_id": request_id, "trace_id": trace_id_of(traceparent)}
    bound = {name: value for name, value in known.items() if value is not None}
    return structlog.contextvars.bound_contextvars(**bound)


class _NameService:
    """Adds the service's name to a line."""

    def __init__(self, service: str) -> None:
        self.service = service

    def __call__(self, _logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        line.setdefault("service", self.service)
        return line


def _rendering(settings: Settings) -> list[Any]:
    if settings.log_format == "console":
        return [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                timestamp_key="at",
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    return [
        structlog.processors.format_exc_info,  # never the locals: they hold row data
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


def _quieten() -> None:
    """Libraries that tell each message and statement at info speak from warning up."""
    for name in (
        "kombu",
        "amqp",
        "sqlalchemy.engine",
        "alembic.runtime.migration",
        "werkzeug",
        "celery.app.trace",
        "celery.worker.strategy",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
