"""One child process: started so that it cannot outlive us, stopped within a bound."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from services.cli.embedded import child


class ChildProcess:
    """A program in a session of its own, with its output in a log file.

    Start only from the main thread: the kernel ties the parent-death signal to the thread.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
        outer: Sequence[str] = (),
        uid: int = -1,
        reach: bool = False,
    ) -> None:
        wrapper = [sys.executable, "-I", "-S", child.__file__, str(int(death_signal))]
        told = [str(os.getpid()), str(uid), str(int(reach)), str(cwd or "/")]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*outer, *wrapper, *told, "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    @property
    def pid(self) -> int:
        """The process id; wrappers exec, so it is the program's own."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return how the process ended (-N = signal N), or None while it runs."""
        return self._process.poll()

    def ask_to_stop(self, how: signal.Signals) -> None:
        """Send a signal to the process alone; it tells its own children."""
        if self.exit_code() is None:
            self._process.send_signal(how)

    def wait(self, deadline: float) -> bool:
        """Wait until ``deadline`` (monotonic clock); True when the process has ended."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill_group(self) -> None:
        """Kill whatever is left of the process and its children, and reap it."""
        # Nothing left is fine; macOS answers EPERM for a group of zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def stop_all(
    processes: Sequence[ChildProcess],
    how: signal.Signals,
    grace_s: float,
    *,
    hurry: Callable[[], bool] = lambda: False,
) -> list[ChildProcess]:
    """Ask all at once, wait ``grace_s`` in total, kill the rest; returns those killed.

    ``hurry`` is asked often; when it says so the rest is killed at once.
    """
    for process in processes:
        process.ask_to_stop(how)
    deadline = time.monotonic() + grace_s
    late = list(processes)
    while late and time.monotonic() < deadline and not hurry():
        time.sleep(0.02)
        late = [process for process in late if process.exit_code() is None]
    for process in processes:
        process.kill_group()
    return late
