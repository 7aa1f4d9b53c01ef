"""The two stores as the supervisor sees them: embedded and looked after, or given from outside."""

import time
from collections.abc import Callable
from pathlib import Path

from services.cli.embedded.datastores import Datastores
from services.cli.embedded.health import require_stores
from services.cli.embedded.postgres_server import PostgresFailedError, PostgresServer
from services.cli.embedded.service import describe_exit
from services.cli.embedded.valkey_server import ValkeyFailedError, ValkeyServer
from shared.settings import Settings

_RETRY_S = 5.0


class Stores:
    """Starts, restarts and stops both stores; ``announce(role, text)`` tells each transition."""

    def __init__(
        self, folder: Path, settings: Settings, announce: Callable[[str, str], None]
    ) -> None:
        self._folder, self._settings, self._announce = folder, settings, announce
        self._own: Datastores | None = None
        self._retry_at = 0.0

    def start(self) -> tuple[str, str]:
        """Start what is ours to start; returns the addresses of database and Redis.

        Raises StoreUnreachableError when stores were given and one does not answer.
        """
        if self._settings.database_url:
            require_stores(self._settings.database_url, self._settings.redis_url)
            self._announce("stores", "given by APWA_DATABASE_URL and APWA_REDIS_URL")
            return self._settings.database_url, self._settings.redis_url
        self._own = Datastores(self._folder)
        self._own.start_postgres()
        self._tell_start("postgres", self._own.postgres)
        self._own.start_valkey()
        self._tell_start("redis", self._own.valkey)
        return self._own.database_url, self._own.redis_url

    def keep_running(self) -> None:
        """Start a dead store again, on its port: the services find it by themselves."""
        if self._own is None or time.monotonic() < self._retry_at:
            return
        self._revive("postgres", self._own.postgres, self._own.start_postgres)
        self._revive("redis", self._own.valkey, self._own.start_valkey)

    def pids(self) -> dict[str, list[int]]:
        """Return the processes by role; empty lists for stores that are not ours."""
        if self._own is None:
            return {"postgres": [], "redis": []}
        servers: dict[str, PostgresServer | ValkeyServer] = {
            "postgres": self._own.postgres,
            "redis": self._own.valkey,
        }
        return {
            role: [server.process_id] if server.process_id else []
            for role, server in servers.items()
        }

    def stop(self) -> None:
        """Stop what is ours."""
        if self._own:
            self._own.stop()
            self._announce("stores", "stopped")

    def _revive(
        self, role: str, server: PostgresServer | ValkeyServer, start: Callable[[], None]
    ) -> None:
        if server.process:
            ended = server.process.exit_code()
            if ended is None:
                return
            server.process.kill_group()
            self._announce(role, f"{describe_exit(ended)}, starting again")
        try:
            start()
        except (PostgresFailedError, ValkeyFailedError) as error:
            self._announce(role, str(error))
            self._retry_at = time.monotonic() + _RETRY_S
        else:
            self._tell_start(role, server)

    def _tell_start(self, role: str, server: PostgresServer | ValkeyServer) -> None:
        self._announce(role, f"started (process {server.process_id}, port {server.port})")
