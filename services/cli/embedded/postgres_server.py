"""The embedded PostgreSQL: created once, started, asked for databases, stopped."""

import secrets
import shutil
import signal
import time
from pathlib import Path

import psycopg
from psycopg import sql

from services.cli.embedded.binaries import postgres_binary
from services.cli.embedded.postgres_user import PostgresUser, give_to, postgres_user
from services.cli.embedded.process import ChildProcess

USER = "apwa"
_START_S = 60.0  # crash recovery after a power loss takes a while

_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "timezone": "UTC",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # /dev/shm is tiny in containers
    "autovacuum_naptime": "15s",
    # ANALYZE samples 300 rows for each; the default held 34 MB of a 100,000-row job's results
    "default_statistics_target": "25",
    "autovacuum_work_mem": "8MB",
    "log_min_messages": "warning",
}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresFailedError(RuntimeError):
    """PostgreSQL did not come up; the text carries the end of its log."""


class PostgresServer:
    """One data directory and the process that serves it.

    ``durable=False`` gives up safety against power loss for speed: for tests only.
    """

    def __init__(self, folder: Path, log: Path, password: str, *, durable: bool = True) -> None:
        self._data, self._log, self._password = folder, log, password
        self._options = _OPTIONS if durable else _OPTIONS | _FORGETFUL
        self._program, self._initdb = postgres_binary("postgres"), postgres_binary("initdb")
        self.port = 0
        self.process: ChildProcess | None = None

    @property
    def initialised(self) -> bool:
        """True when the data directory was made completely."""
        return (self._data / "made").exists()

    def url(self, database: str = "apwa") -> str:
        """Return the address of a database of this server."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def process_id(self) -> int:
        """The pid of the running server, 0 when none runs."""
        return self.process.pid if self.process else 0

    def start(self, port: int) -> None:
        """Make the data directory if there is none, start on ``port``, wait until it answers."""
        self.port = port
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        user = postgres_user((self._program, self._initdb), self._data.resolve())
        if not self.initialised:
            self._make(user)
        give_to(self._data, user.file_owner)
        options = {**self._options, "port": str(port)}
        words = [f"--{name}={value}" for name, value in options.items()]
        self.process = ChildProcess(
            [str(self._program), "-D", str((self._data / "cluster").resolve()), *words],
            self._log,
            death_signal=signal.SIGQUIT,  # ends its own children as well; the WAL keeps the data
            outer=user.outer,
            uid=user.uid,
            reach=user.reach,
        )
        self._wait_until_up()
        self._create_if_missing("apwa")

    def wait_for_predecessor(self) -> None:
        """Wait while a server whose supervisor was killed is still on its way out."""
        pid_file = self._data / "cluster" / "postmaster.pid"
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and pid_file.exists():
            pid = int((pid_file.read_text(encoding="ascii").split() or ["0"])[0])
            if not _serves(pid, self._data):
                return
            time.sleep(0.05)

    def create_database(self) -> str:
        """Create an empty database with a random name and return its address."""
        name = f"apwa_{secrets.token_hex(6)}"
        self._create_if_missing(name)
        return self.url(name)

    def stop(self, grace_s: float = 10.0) -> None:
        """Fast shutdown: sessions are ended, data is written; killed after ``grace_s``."""
        if self.process:
            self.process.ask_to_stop(signal.SIGINT)
            if not self.process.wait(time.monotonic() + grace_s):
                self.process.ask_to_stop(signal.SIGQUIT)
                self.process.wait(time.monotonic() + 2)
            self.process.kill_group()
            self.process = None

    def _make(self, user: PostgresUser) -> None:
        cluster, password_file = self._data / "cluster", self._data / "password"
        shutil.rmtree(cluster, ignore_errors=True)  # what an interrupted start left
        password_file.touch(mode=0o600)
        password_file.write_text(self._password + "\n", encoding="ascii")
        give_to(self._data, user.file_owner)
        give_to(password_file, user.file_owner)
        words = ["-D", str(cluster.resolve()), "-U", USER, "-E", "UTF8", "--locale=C"]
        words += ["--auth=scram-sha-256", f"--pwfile={password_file.resolve()}"]
        process = ChildProcess(
            [str(self._initdb), *words, *([] if "fsync" not in self._options else ["--no-sync"])],
            self._log,
            death_signal=signal.SIGKILL,
            outer=user.outer,
            uid=user.uid,
            reach=user.reach,
        )
        process.wait(time.monotonic() + _START_S)
        ended = process.exit_code()
        process.kill_group()
        password_file.unlink()
        if ended != 0:
            raise PostgresFailedError(f"initdb ended with {ended}:\n{self._log_end()}")
        (self._data / "made").touch()

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self.process is None or self.process.exit_code() is not None:
                break
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        if self.process:
            self.process.kill_group()
        raise PostgresFailedError(f"PostgreSQL did not start:\n{self._log_end()}")

    def _create_if_missing(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _log_end(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-12:])


def _serves(pid: int, folder: Path) -> bool:
    """Tell whether ``pid`` is a live PostgreSQL on this data directory."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return str(folder.resolve()) in words
