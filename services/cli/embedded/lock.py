"""Lets one supervisor at a time own a stack directory."""

import fcntl
import os
from pathlib import Path
from typing import IO


class AlreadyRunningError(RuntimeError):
    """Another `apwa up` owns the directory; ``pid`` is its process, 0 when unknown."""

    def __init__(self, folder: Path, pid: int) -> None:
        who = f" (process {pid})" if pid else ""
        super().__init__(
            f"another `apwa up` already runs on {folder}{who}; "
            f"`apwa status --dir {folder}` shows it, `apwa down --dir {folder}` stops it"
        )
        self.pid = pid


class DirectoryLock:
    """An flock on DIR/lock; the kernel drops it with the process, so it is never stale."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock or raise AlreadyRunningError."""
        file = (self._folder / "lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _pid_in(file)
            file.close()
            raise AlreadyRunningError(self._folder, pid) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back; the file stays, so that nobody locks a deleted one."""
        if self._file:
            self._file.close()
            self._file = None


def owner_of(folder: Path) -> int | None:
    """Return the pid of the supervisor that owns ``folder``; None when nobody does."""
    try:
        file = (folder / "lock").open("r", encoding="ascii")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(file)
        return None


def _pid_in(file: IO[str]) -> int:
    file.seek(0)
    text = file.read().strip()
    return int(text) if text.isdigit() else 0
