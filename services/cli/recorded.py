"""Recorded deliveries: read from a file, and signed as their sender would."""

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.exits import CommandError
from services.cli.given_files import json_of, read_file
from shared.domain.hook_scheme import Scheme, sign

_MEMBERS = {"headers", "payload"}
_OF_THE_WAY = {
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "accept",
    "accept-encoding",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a sender posted: headers by names in lower case, and the exact body."""

    headers: dict[str, str]
    body: bytes


def read_recorded(path: Path, headers: Iterable[str]) -> Recorded:
    """Return a delivery: the file is the body, or an object of ``headers`` and ``payload``.

    `headers` are ``Name: value``, and win over those of the file. Raises CommandError.
    """
    body = read_file(path)
    found: dict[str, str] = {}
    content = json_of(path, body)
    if _is_recording(content):
        found = {name.lower(): str(value) for name, value in content["headers"].items()}
        body = json.dumps(content["payload"], separators=(",", ":"), ensure_ascii=False).encode()
    for line in headers:
        name, mark, value = line.partition(":")
        if not mark or not name.strip():
            raise CommandError(f'write a header as "Name: value", not {line}')
        found[name.strip().lower()] = value.strip()
    kept = {name: value for name, value in found.items() if name not in _OF_THE_WAY}
    return Recorded(kept, body)


def _is_recording(content: Any) -> bool:
    """Tell it from a body that has members of the same names."""
    return (
        isinstance(content, dict)
        and set(content) == _MEMBERS
        and isinstance(content["headers"], dict)
    )


def signed(recorded: Recorded, scheme: Scheme, secret: str) -> dict[str, str]:
    """Return the headers to post it with now, under an id of its own unless it brings one."""
    named = {"github": "x-github-delivery", "standard": "webhook-id"}.get(
        scheme.kind, scheme.id_header or ""
    )
    delivery_id = recorded.headers.get(named) or str(uuid.uuid4())
    fresh = sign(scheme, secret, recorded.body, int(time.time()), delivery_id)
    said = dict(recorded.headers)
    kind = said.pop("content-type", "application/json")
    return {"Content-Type": kind, **said, **fresh}  # written as the client writes it, or sent twice


def read_secret(path: Path) -> str:
    """Return the secret in a file, without the line end; ``-`` is stdin."""
    return read_file(path).decode("utf-8", "replace").strip()
