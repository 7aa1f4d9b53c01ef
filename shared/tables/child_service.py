"""The child's end of child_process.py: takes the limits, does the work, tells how it ended."""

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader, BufferedWriter
from typing import Any, cast

from shared.tables.child_process import FAILED_STATUS, ChildFailedError, speaks_of_memory

_DETAIL_CHARS = 2_000
_PR_SET_PDEATHSIG = 1


def serve(work: Callable[[dict[str, Any], BufferedReader, BufferedWriter], None]) -> None:
    """Be the child: take the limits, run ``work(header, stdin, stdout)``, tell how it ended.

    Any exception becomes the JSON object the parent turns into `ChildFailedError`; a raised
    `ChildFailedError` keeps its code.
    """
    stdin = cast("BufferedReader", sys.stdin.buffer)
    stdout = cast("BufferedWriter", sys.stdout.buffer)
    header = _receive_header(stdin)
    _die_with_parent(header.pop("_parent"))
    _apply_limits(header.pop("_limits"))
    try:
        work(header, stdin, stdout)
        stdout.flush()
    except ChildFailedError as error:
        _report(error.code, error.detail)
    except MemoryError:
        _report("memory", "out of memory")
    except Exception as error:  # noqa: BLE001 - the border: it becomes the parent's error
        text = f"{type(error).__name__}: {error}"
        _report("memory" if speaks_of_memory(text) else "failed", text)
    # Skips the clean-up of libraries, which may touch memory that is no longer to be had.
    os._exit(0)


def _receive_header(stdin: BufferedReader) -> dict[str, Any]:
    (size,) = struct.unpack(">I", stdin.read(4))
    header: dict[str, Any] = json.loads(stdin.read(size))
    return header


def _apply_limits(limits: list[float]) -> None:
    memory_bytes, wall_s, file_bytes = limits
    # RLIMIT_DATA counts what is really private; RLIMIT_AS would count reserved address space.
    _limit(resource.RLIMIT_DATA, int(memory_bytes))
    _limit(resource.RLIMIT_FSIZE, int(file_bytes))
    _limit(resource.RLIMIT_CPU, int(wall_s) + 5)  # outlives a parent that cannot kill any more
    _limit(resource.RLIMIT_CORE, 0)
    with suppress(AttributeError, OSError):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a full file is an error, not a death


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with suppress(OSError, ValueError):  # not every system knows every limit
        resource.setrlimit(kind, (value, value))


def _die_with_parent(parent: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def _report(code: str, detail: str) -> None:
    answer = json.dumps({"code": code, "detail": detail[:_DETAIL_CHARS]}).encode()
    os.write(2, answer)
    os._exit(FAILED_STATUS)
