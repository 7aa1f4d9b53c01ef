"""`apwa up`, `down` and `status`: the embedded stack of a directory."""

import os
import signal
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import ApiClient, ApiUnreachableError
from services.cli.embedded.lock import owner_of
from services.cli.embedded.stack_file import Stack, running_stack
from services.cli.exits import CommandError, Exit
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.terminal import out, print_json, say
from shared.settings import Settings, load_settings

_SLOWEST_STOP_S = 60.0


def up(
    folder: Folder = DEFAULT_FOLDER,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Worker processes.")] = 2,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port of the API; 0 = any free one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the whole system on this machine until Ctrl-C.

    Starts PostgreSQL and a Redis-protocol server unless APWA_DATABASE_URL and APWA_REDIS_URL
    are set. With --json one line tells when all is ready; DIR/stack.json holds the same.
    """
    settings = _checked_settings()
    # Imported here: the supervisor brings SQLAlchemy and alembic, other commands start faster.
    from services.cli.embedded.api_address import PortTakenError
    from services.cli.embedded.binaries import BinaryMissingError
    from services.cli.embedded.health import StoreUnreachableError
    from services.cli.embedded.lock import AlreadyRunningError
    from services.cli.embedded.postgres_server import PostgresFailedError
    from services.cli.embedded.postgres_user import NoPostgresUserError
    from services.cli.embedded.supervisor import StartFailedError, Supervisor, service_kinds
    from services.cli.embedded.valkey_server import ValkeyFailedError

    supervisor = Supervisor(
        folder, settings, kinds=service_kinds(workers), announce=_announce, port=port
    )
    try:
        supervisor.run(lambda stack: _tell_ready(stack, folder, as_json))
    except AlreadyRunningError as error:
        raise CommandError(str(error), Exit.ALREADY_RUNNING) from error
    except PortTakenError as error:
        raise CommandError(str(error)) from error
    except StoreUnreachableError as error:
        raise CommandError(str(error), Exit.UNREACHABLE) from error
    except (
        BinaryMissingError,
        NoPostgresUserError,
        PostgresFailedError,
        StartFailedError,
        ValkeyFailedError,
    ) as error:
        text = f"{error}\n`apwa doctor --dir {folder}` looks for the reason"
        raise CommandError(text, Exit.FAILED) from error


def down(folder: Folder = DEFAULT_FOLDER) -> None:
    """Stop the stack of a directory; jobs go on at the next `apwa up`."""
    pid = owner_of(folder)
    if pid is None:
        say(f"nothing runs on {folder}")
        return
    if pid == 0:
        raise CommandError(f"the owner of {folder} is starting; try again", Exit.FAILED)
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _SLOWEST_STOP_S
    while owner_of(folder) == pid:
        if time.monotonic() > deadline:
            raise CommandError(f"process {pid} does not stop; `kill -9 {pid}` is safe", Exit.FAILED)
        time.sleep(0.05)
    say(f"stopped the stack of {folder}")


def status(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show the processes of the stack and the jobs by state."""
    stack = running_stack(folder)
    if stack is None:
        raise CommandError(f"nothing runs on {folder}", Exit.UNREACHABLE)
    jobs = _jobs_by_state(stack)
    if as_json:
        print_json(
            {
                "api_url": stack.api_url,
                "dashboard_url": stack.dashboard_url,
                "pids": stack.pids,
                "jobs": jobs,
            }
        )
        return
    out.print(f"api        {stack.api_url}")
    for role, pids in stack.pids.items():
        shown = (
            ", ".join(str(pid) for pid in pids) or "not ours" if pids or _store(role) else "down"
        )
        out.print(f"{role:<10} {shown}")
    if jobs is None:
        out.print("jobs       the API does not answer")
        return
    counted = ", ".join(f"{count} {state}" for state, count in jobs.items()) or "none yet"
    out.print(f"jobs       {counted}")


def _checked_settings() -> Settings:
    settings = load_settings(stores=False)
    if bool(settings.database_url) != bool(settings.redis_url):
        raise CommandError("set both APWA_DATABASE_URL and APWA_REDIS_URL, or neither")
    return settings


def _announce(who: str, what: str) -> None:
    moment = datetime.now().astimezone().strftime("%H:%M:%S")
    say(f"{moment}  {who:<11} {what}")


def _tell_ready(stack: Stack, folder: Path, as_json: bool) -> None:
    if as_json:
        print_json(stack.as_json())
        return
    _announce("apwa", "ready")
    say(f"\n  API      {stack.api_url}  (docs: {stack.api_url}/docs)")
    say(f"  key      {stack.api_key}")
    say(f"  details  {folder / 'stack.json'}, logs in {folder / 'logs'}")
    say('  try      apwa run "Redact all personal data" --input FILE.csv')
    say("  stop     Ctrl-C\n")


def _jobs_by_state(stack: Stack) -> dict[str, int] | None:
    client = ApiClient(stack.api_url, stack.api_key)
    try:
        jobs = client.pages("/v1/jobs", {"limit": 1000})
        return dict(Counter(str(job["status"]) for job in jobs))
    except ApiUnreachableError:
        return None


def _store(role: str) -> bool:
    return role in ("postgres", "redis")
