"""One supervised service process: started, found dead, started again after a growing pause."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.cli.embedded.process import ChildProcess

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_SETTLED_S = 30.0  # a process that lived this long starts again at once
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class ServiceKind:
    """What to run for a role, and how many."""

    role: str
    module: str
    count: int = 1


class Service:
    """The process of one role and number, across its restarts."""

    def __init__(
        self, kind: ServiceKind, number: int, logs: Path, environ: Mapping[str, str]
    ) -> None:
        self.role = kind.role
        self.name = f"{kind.role}-{number}" if kind.count > 1 else kind.role
        self.log = logs / f"{kind.role}-{number}.log"
        self._command = [sys.executable, "-m", kind.module]
        self._environ = environ
        self.process: ChildProcess | None = None
        self.deaths = 0  # in a row
        self._start_at = 0.0

    def start_if_due(self) -> bool:
        """Start the process unless it runs or its pause is not over; True when started."""
        if self.process is not None or time.monotonic() < self._start_at:
            return False
        self.process = ChildProcess(self._command, self.log, environ=self._environ, cwd=ROOT)
        return True

    def bury_if_dead(self) -> int | None:
        """Note the end of the process; returns how it ended, None while all is well."""
        if self.process is None:
            return None
        ended = self.process.exit_code()
        if ended is None:
            return None
        settled = time.monotonic() - self.process.started_at > _SETTLED_S
        self.process.kill_group()
        self.process = None
        self.deaths = 1 if settled else self.deaths + 1
        pause = min(_FIRST_PAUSE_S * 2 ** (self.deaths - 1), _LONGEST_PAUSE_S)
        self._start_at = time.monotonic() + pause
        return ended

    def log_end(self, lines: int = 12) -> str:
        """Return the last lines the process wrote."""
        if not self.log.exists():
            return ""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])


def describe_exit(code: int) -> str:
    """Return words for an exit code: ``ended with code 3`` or ``killed by signal 9``."""
    return f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
