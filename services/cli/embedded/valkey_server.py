"""The embedded Redis-protocol server: started, and started empty when its file is broken."""

import shutil
import signal
import time
from pathlib import Path

import redis

from services.cli.embedded.binaries import valkey_binary
from services.cli.embedded.process import ChildProcess

_START_S = 20.0


class ValkeyFailedError(RuntimeError):
    """Valkey did not come up; the text carries the end of its log."""


class ValkeyServer:
    """One directory with an append-only file and the process that serves it."""

    def __init__(self, folder: Path, log: Path, password: str) -> None:
        self._folder, self._log, self._password = folder, log, password
        self._program = valkey_binary()
        self.port = 0
        self.process: ChildProcess | None = None

    def url(self) -> str:
        """Return the address of this server."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def process_id(self) -> int:
        """The pid of the running server, 0 when none runs."""
        return self.process.pid if self.process else 0

    def start(self, port: int) -> None:
        """Start on ``port`` and wait until it answers.

        Redis is only the doorbell: if it cannot read its own file it starts with an empty one.
        """
        self.port = port
        if self._started():
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        if not self._started():
            raise ValkeyFailedError(f"Valkey did not start:\n{self._log_end()}")

    def stop(self, grace_s: float = 5.0) -> None:
        """Let it write its file and end; killed after ``grace_s``."""
        if self.process:
            self.process.ask_to_stop(signal.SIGTERM)
            self.process.wait(time.monotonic() + grace_s)
            self.process.kill_group()
            self.process = None

    def _started(self) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = self._write_config()
        self.process = ChildProcess([str(self._program), str(config)], self._log)
        deadline = time.monotonic() + _START_S
        client = redis.Redis.from_url(self.url(), socket_timeout=2)
        while time.monotonic() < deadline and self.process.exit_code() is None:
            try:
                client.ping()
            except redis.RedisError:
                time.sleep(0.01)
            else:
                client.close()
                return True
        client.close()
        self.process.kill_group()
        return False

    def _write_config(self) -> Path:
        """Write a file: arguments could be read by every user of the machine."""
        config = self._folder / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self._password}\n"
            f'dir "{self._folder.resolve()}"\nappendonly yes\nappendfsync everysec\nsave ""\n'
            "maxmemory-policy noeviction\ndaemonize no\n",
            encoding="utf-8",
        )
        return config.resolve()

    def _log_end(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-12:])
