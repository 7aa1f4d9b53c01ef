"""Gunicorn's own messages in the shape of all our logs."""

import sys
from typing import Any

from gunicorn.glogging import Logger


class OneShapeLogger(Logger):  # type: ignore[misc]
    """Hands messages to the root logger, which `shared.log` has set up."""

    def setup(self, cfg: Any) -> None:
        """Drop gunicorn's handlers; requests are logged by the application."""
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), 20)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(self.loglevel)
        self.access_log.handlers[:] = []

    def reopen_files(self) -> None:
        """Do nothing: there are none."""

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log a surprise; a client that fell silent is none."""
        if isinstance(sys.exc_info()[1], BlockingIOError | TimeoutError):
            self.debug("A client sent nothing for too long.")
        else:
            super().exception(msg, *args, **kwargs)
