"""Directories for spilled data that vanish even when the process that made them is killed."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "apwa-scratch-"
_SWEEP_AFTER_S = 60.0


@contextmanager
def scratch_directory(parent: Path | None = None) -> Iterator[Path]:
    """Yield an empty private directory that is removed at the end.

    What a killed process left behind is removed by the next caller: a directory in use is locked
    by its owner, and the lock dies with the owner.
    """
    root = parent or Path(tempfile.gettempdir())
    _sweep(root)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _sweep(root: Path) -> None:
    """Remove directories whose owner is gone; a young one may not have its lock yet."""
    for path in root.glob(PREFIX + "*"):
        with suppress(OSError):
            state = path.lstat()
            if state.st_uid != os.geteuid() or time.time() - state.st_mtime < _SWEEP_AFTER_S:
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
