"""DIR/stack.json: what runs where, for people, clients and tests."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.cli.embedded.lock import owner_of
from services.cli.embedded.private_file import read_private, write_private

NAME = "stack.json"


@dataclass(frozen=True, slots=True)
class Stack:
    """The addresses of a running stack, its first key and its processes by role."""

    api_url: str
    dashboard_url: str | None
    api_key: str
    database_url: str
    redis_url: str
    pids: dict[str, list[int]]

    def as_json(self) -> dict[str, Any]:
        """Return the record as written to the file and printed by `--json`."""
        return asdict(self)


def write_stack(folder: Path, stack: Stack) -> None:
    """Replace the file; mode 0600, for it holds the key and the passwords."""
    write_private(folder / NAME, stack.as_json())


def remove_stack(folder: Path) -> None:
    """Remove the file: nothing runs any more."""
    (folder / NAME).unlink(missing_ok=True)


def running_stack(folder: Path) -> Stack | None:
    """Return the stack of ``folder`` if its supervisor is alive and has it ready."""
    if owner_of(folder) is None:
        return None  # a file left by `kill -9` tells of the past
    content = read_private(folder / NAME)
    try:
        return Stack(**content)
    except TypeError:
        return None
