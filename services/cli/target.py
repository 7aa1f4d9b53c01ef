"""Finds the API to speak to: settings first, then the stack of a directory, else starts one."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.client import ApiClient
from services.cli.embedded.lock import owner_of
from services.cli.embedded.process import ChildProcess
from services.cli.embedded.stack_file import running_stack
from services.cli.exits import CommandError, Exit
from shared.settings import child_environ, load_settings

_START_S = 120.0


def find_client(folder: Path) -> ApiClient | None:
    """Return a client for APWA_API_URL, else for the running stack of ``folder``, else None."""
    settings = load_settings(stores=False)
    if settings.api_url:
        return ApiClient(settings.api_url, settings.api_key)
    if owner_of(folder) is not None:
        return _wait_for_stack(folder, lambda: owner_of(folder) is None)
    return None


def require_client(folder: Path) -> ApiClient:
    """Return a client, or end the command saying how to get a stack."""
    client = find_client(folder)
    if client is None:
        raise CommandError(
            f"nothing runs on {folder}: start it with `apwa up --dir {folder}`, or set "
            f"APWA_API_URL and APWA_API_KEY",
            Exit.UNREACHABLE,
        )
    return client


@contextmanager
def borrowed_client(
    folder: Path, say: Callable[[str], None], *, workers: int
) -> Iterator[tuple[ApiClient, bool]]:
    """Yield a client and whether a stack was started for it; that one is stopped afterwards."""
    client = find_client(folder)
    if client is not None:
        yield client, False
        return
    say(f"no stack is running: starting one in {folder} for this command (`apwa up` keeps one)")
    process = _start_stack(folder, workers)
    try:
        yield _wait_for_stack(folder, lambda: process.exit_code() is not None), True
    finally:
        say("stopping the stack that was started for this command")
        process.ask_to_stop(signal.SIGTERM)
        process.wait(time.monotonic() + load_settings(stores=False).stop_grace_s + 15)
        process.kill_group()


def _start_stack(folder: Path, workers: int) -> ChildProcess:
    (folder / "logs").mkdir(parents=True, exist_ok=True, mode=0o700)
    words = [sys.executable, "-m", "services.cli", "up", "--dir", str(folder.resolve())]
    return ChildProcess(
        [*words, "--workers", str(workers)],
        folder / "logs" / "up.log",
        environ=child_environ(),
        cwd=Path(__file__).parents[2],
        death_signal=signal.SIGTERM,  # it stops everything below it in order
    )


def _wait_for_stack(folder: Path, ended: Callable[[], bool]) -> ApiClient:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        stack = running_stack(folder)
        if stack:
            return ApiClient(stack.api_url, stack.api_key)
        if ended():
            break
        time.sleep(0.05)
    log = folder / "logs" / "up.log"
    told = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    end = "\n".join(f"  {line}" for line in told.splitlines()[-8:])
    raise CommandError(f"the stack in {folder} did not start:\n{end}", Exit.UNREACHABLE)
