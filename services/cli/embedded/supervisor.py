"""`apwa up`: starts everything in order, keeps it running, stops it in the opposite order."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from services.cli.embedded import health
from services.cli.embedded.api_address import (
    choose_api_port,
    http_address,
    is_loopback,
    reachable_host,
)
from services.cli.embedded.fleet import Fleet
from services.cli.embedded.lock import DirectoryLock
from services.cli.embedded.private_file import own_secret_key, read_private, write_private
from services.cli.embedded.service import ServiceKind
from services.cli.embedded.stack_file import Stack, remove_stack, write_stack
from services.cli.embedded.stores import Stores
from services.cli.embedded.wakeups import Wakeups
from services.cli.first_key import first_key
from services.cli.migrate import migrate
from shared.settings import Settings, child_environ

_READY_S = 90.0
_TICK_S, _SHORT_TICK_S = 1.0, 0.1
_DEAF_ANSWERS = 15  # checks in a row, each up to two seconds, before the API counts as hung

Announce = Callable[[str, str], None]  # who, what happened


class StartFailedError(RuntimeError):
    """The stack did not come up; the text says which part and what it said."""


def service_kinds(workers: int) -> list[ServiceKind]:
    """Return the services of this version, in the order they are started."""
    return [
        ServiceKind("api", "services.api"),
        ServiceKind("planner", "services.planner"),
        ServiceKind("collector", "services.collector"),
        ServiceKind("notifier", "services.notifier"),
        ServiceKind("worker", "services.worker", workers),
    ]


class Supervisor:
    """Owns one stack directory while it runs; main thread only.

    With both stores' addresses in ``settings`` nothing is embedded. ``port`` None takes the
    former port, else the setting's, else a free one; a given port must be free, 0 means any.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        kinds: Sequence[ServiceKind],
        announce: Announce,
        port: int | None = None,
    ) -> None:
        self._folder, self._settings, self._kinds = folder, settings, kinds
        self._announce, self._wanted_port = announce, port
        self._stores = Stores(folder, settings, announce)
        self._deaf = 0

    def run(self, on_ready: Callable[[Stack], None]) -> None:
        """Run until asked to stop by a signal; a second one kills what is left at once.

        Raises AlreadyRunningError, PortTakenError, StartFailedError, and what the stores raise.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = DirectoryLock(self._folder)
        lock.acquire()
        try:
            with Wakeups() as wakeups:
                self._run(wakeups, on_ready)
        finally:
            lock.release()

    def _run(self, wakeups: Wakeups, on_ready: Callable[[Stack], None]) -> None:
        remove_stack(self._folder)  # of a run that was killed
        try:
            self._use_stores()
            stack, since = self._prepare()
            fleet = self._new_fleet()
            try:
                self._wait_until_ready(fleet, since, wakeups)
                if not wakeups.stopping:
                    stack = self._note(stack, fleet)
                    on_ready(stack)
                while not wakeups.stopping:
                    self._look_after(fleet)
                    stack = self._note(stack, fleet)
                    wakeups.wait(_TICK_S if fleet.all_alive() else _SHORT_TICK_S)
            finally:
                fleet.stop(self._settings.stop_grace_s, lambda: wakeups.stop_requests > 1)
        finally:
            self._stores.stop()
            remove_stack(self._folder)

    def _use_stores(self) -> None:
        database_url, redis_url = self._stores.start()
        self._settings = replace(
            self._settings,
            database_url=database_url,
            redis_url=redis_url,
            secret_keys=self._settings.secret_keys or own_secret_key(self._folder),
        )
        if is_loopback(self._settings.api_host) and not self._settings.webhook_loopback:
            self._settings = replace(self._settings, webhook_loopback=True)
            self._announce("webhooks", "may go to receivers on this machine: the API is on it only")

    def _prepare(self) -> tuple[Stack, datetime]:
        """Migrate, make the first key, choose the port; returns the database's time as well."""
        if migrate(self._settings):
            self._announce("database", "migrated to the newest schema")
        settings, host = self._settings, self._settings.api_host
        port = choose_api_port(
            self._folder, host, wanted=self._wanted_port, usual=settings.api_port
        )
        self._settings = replace(settings, api_port=port)
        stack = Stack(
            api_url=http_address(host, port),
            dashboard_url=None,
            api_key=self._first_key(),
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            pids={},
        )
        return stack, health.database_time(settings.database_url)

    def _first_key(self) -> str:
        memory = self._folder / "first_key.json"
        known = read_private(memory).get("api_key")
        key = first_key(self._settings, known)
        if key != known:
            write_private(memory, {"api_key": key})
            self._announce("database", "first API key made, for the project `default`")
        return key

    def _new_fleet(self) -> Fleet:
        environ = child_environ(
            database_url=self._settings.database_url,
            redis_url=self._settings.redis_url,
            secret_keys=self._settings.secret_keys,
            api_port=self._settings.api_port,
            webhook_loopback=str(self._settings.webhook_loopback).lower(),
        )
        fleet = Fleet(self._kinds, self._folder / "logs", environ, self._announce)
        fleet.keep_running()
        return fleet

    def _wait_until_ready(self, fleet: Fleet, since: datetime, wakeups: Wakeups) -> None:
        deadline = time.monotonic() + _READY_S
        while not wakeups.stopping and not self._ready(fleet, since):
            fleet.keep_running()
            dying = fleet.hopeless()
            if dying:
                raise StartFailedError(
                    f"{dying.name} does not start, its log ends with:\n{dying.log_end()}"
                )
            if time.monotonic() > deadline:
                raise StartFailedError(
                    f"not ready after {_READY_S:.0f} s; see {self._folder / 'logs'}"
                )
            wakeups.wait(0.05)

    def _ready(self, fleet: Fleet, since: datetime) -> bool:
        return (
            fleet.all_alive()
            and self._api_answers("/readyz")
            and health.workers_since(self._settings.database_url, since) >= fleet.count("worker")
        )

    def _look_after(self, fleet: Fleet) -> None:
        self._stores.keep_running()
        self._check_api(fleet)
        fleet.keep_running()

    def _check_api(self, fleet: Fleet) -> None:
        """Replace an API process that lives but has answered nothing for half a minute."""
        alive = fleet.pids().get("api")
        self._deaf = self._deaf + 1 if alive and not self._api_answers("/livez") else 0
        if self._deaf >= _DEAF_ANSWERS:
            self._announce("api", "does not answer, starting again")
            fleet.replace("api")
            self._deaf = 0

    def _api_answers(self, path: str) -> bool:
        return health.answers(
            reachable_host(self._settings.api_host), self._settings.api_port, path
        )

    def _note(self, stack: Stack, fleet: Fleet) -> Stack:
        """Write the stack file anew when a process changed."""
        pids = self._stores.pids() | fleet.pids() | {"supervisor": [os.getpid()]}
        if pids == stack.pids:
            return stack
        changed = replace(stack, pids=pids)
        write_stack(self._folder, changed)
        return changed
