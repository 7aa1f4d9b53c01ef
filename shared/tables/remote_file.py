"""Copies a file from an address that an operator allowed, in a child process that can be killed."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.domain.remote_address import scheme_of
from shared.tables.child_process import ChildFailedError, ChildLimits, start_child

_CHILD = "shared.tables.remote_child"
_MEMORY_BYTES = 1 << 30
_KNOWN = frozenset({"not_found", "forbidden", "too_large", "timeout", "cancelled", "unreachable"})
_TRANSIENT = frozenset({"unreachable", "timeout"})


@dataclass(frozen=True, slots=True)
class RemoteFiles:
    """What an operator allows: prefixes of addresses, and per scheme the options of fsspec."""

    prefixes: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]
    most_bytes: int
    wall_s: float


class RemoteFailed(Exception):
    """The file could not be copied.

    `code` is ``not_found``, ``forbidden``, ``too_large``, ``timeout``, ``cancelled`` or
    ``unreachable``; `transient` tells that trying again may help.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.transient = code in _TRANSIENT


def copy_remote(
    remote: RemoteFiles, url: str, target: Path, cancelled: threading.Event | None = None
) -> int:
    """Copy the file at an address that was checked to `target` and return its size in bytes.

    No proxy, key or region of the environment is used: the child has none. Raises RemoteFailed.
    """
    scheme = scheme_of(url)
    header = {
        "url": url,
        "scheme": scheme,
        "options": dict(remote.options.get(scheme, {})),
        "prefixes": [prefix for prefix in remote.prefixes if scheme_of(prefix) == scheme],
        "target": str(target),
        "most_bytes": remote.most_bytes,
    }
    limits = ChildLimits(_MEMORY_BYTES, remote.wall_s, remote.most_bytes + (1 << 20))
    try:
        with start_child(_CHILD, header, limits, cancelled) as child:
            child.close_input()
            answer = json.loads(child.read())
    except ChildFailedError as error:
        if error.code in _KNOWN:
            raise RemoteFailed(error.code, error.detail) from error
        # Only the kind of error: its text may tell of the operator's hosts and keys.
        raise RemoteFailed("unreachable", error.detail.partition(":")[0]) from error
    return int(answer["bytes"])
