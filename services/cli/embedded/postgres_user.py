"""Decides as whom PostgreSQL runs: it refuses root, and root is what many containers have."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


class NoPostgresUserError(RuntimeError):
    """PostgreSQL cannot run here; the text says why and how to mend it."""


@dataclass(frozen=True, slots=True)
class PostgresUser:
    """How to start PostgreSQL's programs."""

    outer: tuple[str, ...] = ()  # command words before the program
    uid: int = -1  # user to become, -1 = stay
    reach: bool = False  # keep root's right to enter folders closed to that user

    @property
    def file_owner(self) -> int:
        """The user id that the data directory must belong to, seen from outside."""
        return os.getuid() if self.uid < 0 else self.uid


def postgres_user(programs: Iterable[Path], folder: Path) -> PostgresUser:
    """Choose: ourselves; as root a user namespace where we are user 1000; else `nobody`.

    `nobody` gets the right to enter closed folders (/root is one) if ``programs`` or ``folder``
    lie in one; NoPostgresUserError when that right is not ours to give.
    """
    if os.getuid() != 0:
        return PostgresUser()
    if user_namespaces_work():
        return PostgresUser(outer=tuple(_unshare()))
    nobody = pwd.getpwnam("nobody").pw_uid
    closed = [step for path in (*programs, folder) for step in _closed_steps(path, nobody)]
    if closed and not _may_override_access():
        raise NoPostgresUserError(
            f"PostgreSQL refuses to run as root, user namespaces are not permitted here, and the "
            f"user `nobody` cannot enter {closed[0]}. Run as an ordinary user, permit user "
            f"namespaces, or move the project and --dir below a folder that everyone may enter "
            f"(such as /opt or /srv; chmod o+x {closed[0]} mends it too)."
        )
    return PostgresUser(uid=nobody, reach=bool(closed))


@cache
def user_namespaces_work() -> bool:
    """Tell whether this process may map itself to another user (not in most containers)."""
    if shutil.which("unshare") is None:
        return False
    probe = subprocess.run([*_unshare(), "/bin/true"], capture_output=True, check=False, timeout=10)
    return probe.returncode == 0


def give_to(folder: Path, owner: int) -> None:
    """Make ``folder`` and all in it belong to ``owner`` if it does not yet (root only)."""
    if os.getuid() != 0 or folder.stat().st_uid == owner:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


def _unshare() -> list[str]:
    program = shutil.which("unshare") or "unshare"
    return [program, "--user", "--map-user=1000", "--map-group=1000"]


def _closed_steps(path: Path, uid: int) -> list[Path]:
    """Return the folders on the way to ``path`` that a user may not enter."""
    found = []
    for step in path.parents:
        status = step.stat()
        if not status.st_mode & (0o100 if status.st_uid == uid else 0o001):
            found.append(step)
    return found


def _may_override_access() -> bool:
    """Tell whether we hold CAP_DAC_OVERRIDE, which containers usually leave to root."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    return bool(int(line.split()[1], 16) & 1 << 1)
