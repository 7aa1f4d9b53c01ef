"""Serves the interface with gunicorn: one process, many threads, bounded patience."""

import socket
import struct
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from services.api.app import create_app
from services.api.gunicorn_log import OneShapeLogger
from services.api.wired import wired_to
from shared.log import configure_logging
from shared.settings import Settings

RECEIVE_TIMEOUT_S = 30  # a client that sends or takes nothing for so long is let go
KEEP_ALIVE_S = 5


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn with our settings and none from its own files or environment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set everything that differs from gunicorn's defaults."""
        settings = self._settings
        threads = settings.api_threads + settings.api_streams  # a stream holds one to its end
        options: dict[str, Any] = {
            "bind": _address(settings.api_host, settings.api_port),
            "worker_class": "gthread",
            "workers": 1,
            "threads": threads,
            "worker_connections": threads * 4 + 100,
            "timeout": 60,  # of the worker's own loop; requests may take longer
            "graceful_timeout": max(1, round(settings.stop_grace_s)),
            "keepalive": KEEP_ALIVE_S,
            "control_socket_disable": True,
            "proc_name": "apwa-api",
            "logger_class": OneShapeLogger,
            "loglevel": settings.log_level.lower(),
            "post_worker_init": _prepare,
            "worker_exit": _close,
            "post_fork": _configure_logging(settings),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the application; called in the worker process, so pools open after the fork."""
        return create_app(self._settings)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _prepare(worker: Any) -> None:
    """Bound what a client may take, and let streams see when the process is told to stop."""
    _limit_patience(worker)
    wired_to(worker.wsgi).streams.stopping = lambda: not worker.alive


def _limit_patience(worker: Any) -> None:
    """Give accepted connections (they inherit it) a limit on waiting for their client."""
    limit = struct.pack("ll", RECEIVE_TIMEOUT_S, 0)
    for listener in worker.sockets:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _close(_arbiter: Any, worker: Any) -> None:
    """Ring what is still to be rung before the process ends."""
    if worker.wsgi is not None:
        wired_to(worker.wsgi).close()


def _configure_logging(settings: Settings) -> Any:
    def configure(_arbiter: Any, _worker: Any) -> None:
        configure_logging(settings, "api")

    return configure
