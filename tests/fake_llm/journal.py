"""One JSON line per call, written when it ended: what tests count afterwards."""

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call as the endpoint saw it.

    `answered`: the whole answer was handed to a client that was still there. `kind` is plan, tool
    or chat. `markers` are all in the request, `own_markers` those of the user's first message.
    `images` are short hashes (`prompt.image_hash`) of the addresses of its images, in order.
    `findings` are the linter's codes a planning request gives back. `request` is the whole body,
    where the endpoint was told to keep it (`keep_requests`).
    """

    no: int
    at: float
    ended_at: float
    model: str
    kind: str
    markers: list[str]
    own_markers: list[str]
    images: list[str]
    tokens_in: int
    tokens_out: int
    status: int | None
    fault: str | None
    answered: bool
    usage_told: bool
    findings: list[str]
    request: dict[str, Any] | None = None


class Journal:
    """Appends lines; each is one write, so a killed server leaves whole lines."""

    def __init__(self, path: Path | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(path, flags, 0o644) if path is not None else None

    def write(self, line: dict[str, Any]) -> None:
        """Append one call."""
        if self._file is not None:
            os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")


def read_journal(path: Path) -> list[Call]:
    """Return the calls that ended so far, in the order they ended."""
    known = {item.name for item in fields(Call)}
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    read = (json.loads(line) for line in lines if line)
    return [Call(**{name: call[name] for name in known & call.keys()}) for call in read]
