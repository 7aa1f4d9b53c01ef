"""Gunicorn's own messages in the shape of all our logs, without what an address may give away."""

import logging
import re
import sys
from typing import Any

from gunicorn.glogging import Logger

_QUERY = re.compile(r"\?[^\s'\"]*")


class WithoutQueries(logging.Filter):
    """Cuts the query off every address in a message: it may hold a view token, or a search."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every message through, changed."""
        record.msg, record.args = _QUERY.sub("?...", record.getMessage()), ()
        return True


class OneShapeLogger(Logger):  # type: ignore[misc]
    """Hands messages to the root logger, which `shared.log` has set up."""

    def setup(self, cfg: Any) -> None:
        """Drop gunicorn's handlers; requests are logged by the application."""
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), 20)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(self.loglevel)
        self.error_log.addFilter(WithoutQueries())
        self.access_log.handlers[:] = []

    def reopen_files(self) -> None:
        """Do nothing: there are none."""

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log a surprise; a client that fell silent is none."""
        if isinstance(sys.exc_info()[1], BlockingIOError | TimeoutError):
            self.debug("A client sent nothing for too long.")
        else:
            super().exception(msg, *args, **kwargs)
