"""The service processes together: all started, each started again when it dies, all stopped."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGTERM

from services.cli.embedded.process import stop_all
from services.cli.embedded.service import Service, ServiceKind, describe_exit

_HOPELESS_DEATHS = 5


class Fleet:
    """Every process of every role; ``announce(name, text)`` tells each transition."""

    def __init__(
        self,
        kinds: Sequence[ServiceKind],
        logs: Path,
        environ: Mapping[str, str],
        announce: Callable[[str, str], None],
    ) -> None:
        logs.mkdir(exist_ok=True, mode=0o700)
        self._kinds, self._announce = kinds, announce
        self._services = [
            Service(kind, number, logs, environ)
            for kind in kinds
            for number in range(1, kind.count + 1)
        ]

    def keep_running(self) -> None:
        """Note the dead, start what is due."""
        for service in self._services:
            ended = service.bury_if_dead()
            if ended is not None:
                self._announce(service.name, f"{describe_exit(ended)}, see {service.log}")
            if service.start_if_due() and service.process:
                again = " again" if service.deaths else ""
                self._announce(service.name, f"started{again} (process {service.process.pid})")

    def all_alive(self) -> bool:
        """Tell whether every service has a process."""
        return all(service.process for service in self._services)

    def hopeless(self) -> Service | None:
        """Return a service that died too often in a row to come up, or None."""
        dying = (service for service in self._services if service.deaths >= _HOPELESS_DEATHS)
        return next(dying, None)

    def count(self, role: str) -> int:
        """Return how many processes a role should have."""
        return sum(kind.count for kind in self._kinds if kind.role == role)

    def replace(self, role: str) -> None:
        """Kill the processes of a role; the next ``keep_running`` starts new ones."""
        for service in self._services:
            if service.role == role and service.process:
                service.process.kill_group()

    def pids(self) -> dict[str, list[int]]:
        """Return the live processes by role."""
        return {
            kind.role: [
                service.process.pid
                for service in self._services
                if service.role == kind.role and service.process
            ]
            for kind in self._kinds
        }

    def stop(self, grace_s: float, hurry: Callable[[], bool]) -> None:
        """Let all finish what they hold, kill those that take longer than ``grace_s``."""
        running = [service.process for service in self._services if service.process]
        if running:
            self._announce("services", "stopping")
        late = stop_all(running, SIGTERM, grace_s, hurry=hurry)
        if late:
            self._announce("services", f"{len(late)} did not stop in time and were killed")
