"""Reads the files that commands are given: bytes, or a JSON object."""

import json
import sys
from pathlib import Path
from typing import Any

from services.cli.client import Json
from services.cli.exits import CommandError


def read_file(path: Path) -> bytes:
    """Return the bytes of a file; ``-`` is stdin. Raises CommandError."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def read_object(path: Path) -> Json:
    """Return the JSON object in a file, such as a plan; raises CommandError."""
    content = json_of(path, read_file(path))
    if not isinstance(content, dict):
        raise CommandError(f"{path} holds no JSON object")
    return content


def json_of(path: Path, raw: bytes) -> Any:
    """Return the value in the bytes of a file; raises CommandError."""
    try:
        return json.loads(raw)
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}") from error
