"""Small JSON files that only their owner may read, replaced as a whole."""

import json
import os
import secrets
from pathlib import Path
from typing import Any


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` by ``content``, mode 0600; a reader sees the old file or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_private(path: Path) -> dict[str, Any]:
    """Return the file's content; empty when there is none or it is not whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def own_secret_key(folder: Path) -> str:
    """Return the key that seals the stored secrets of a directory's stack; made once."""
    file = folder / "secret_key.json"
    known = read_private(file)
    if "secret_key" not in known:
        known = {"secret_key": secrets.token_urlsafe(32)}
        write_private(file, known)
    return str(known["secret_key"])
