"""Run a module in a child process that can be killed and cannot outgrow its limits.

The parent sends one JSON header and then any number of Arrow streams on stdin; the child answers
on stdout; an error is one JSON object on stderr. The child must read all of its input before it
writes, or both may block. The child's end is child_service.py.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pyarrow as pa

_ROOT = Path(__file__).resolve().parents[2]
FAILED_STATUS = 3  # the child has written its error
_WATCH_S = 0.1
_MEMORY_SIGNS = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory")


class ChildFailedError(Exception):
    """The child ended badly.

    `code` is ``timeout``, ``cancelled``, ``memory``, ``failed`` or one of the child's own.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """Hard limits of one child.

    `memory_bytes` bounds its private memory, `wall_s` its life from start to end (the reader's
    pace included), `file_bytes` the size of any single file it writes.
    """

    memory_bytes: int
    wall_s: float
    file_bytes: int = 16 << 30


class Child:
    """A running child: `send` what it needs, `close_input`, then `read` or `receive`."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stderr: IO[bytes],
        wall_s: float,
        cancelled: threading.Event,
    ) -> None:
        self._stdin = cast("BufferedWriter", process.stdin)
        self._stdout = cast("BufferedReader", process.stdout)
        self._process = process
        self._stderr = stderr
        self._cut_off: ChildFailedError | None = None
        self._ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=(wall_s, cancelled), daemon=True)
        watch.start()

    def send_header(self, header: dict[str, Any], limits: ChildLimits) -> None:
        """Write the JSON object the child's work is called with."""
        limit_values = [limits.memory_bytes, limits.wall_s, limits.file_bytes]
        body = json.dumps({**header, "_limits": limit_values, "_parent": os.getpid()}).encode()
        with self._broken_pipe_explained():
            self._stdin.write(struct.pack(">I", len(body)) + body)
            self._stdin.flush()

    def send(self, schema: "pa.Schema", batches: "Iterable[pa.RecordBatch]") -> None:
        """Write one Arrow stream to the child, a batch at a time."""
        import pyarrow as pa  # here, because a child that needs no Arrow starts faster without

        with self._broken_pipe_explained():
            writer = pa.ipc.new_stream(self._stdin, schema)
        for batch in batches:  # outside: an error of the caller's own source is not the child's
            with self._broken_pipe_explained():
                writer.write_batch(batch)
        with self._broken_pipe_explained():
            writer.close()

    def close_input(self) -> None:
        """Tell the child that nothing more comes."""
        with self._broken_pipe_explained():
            self._stdin.close()

    def read(self) -> bytes:
        """Return all the child writes until its end; raise `ChildFailedError` if it failed."""
        answer = self._stdout.read()
        self._finish()
        return answer

    def receive(self) -> "Iterator[pa.RecordBatch]":
        """Yield the batches of the child's Arrow stream; raise `ChildFailedError` if it failed.

        A failure may come after batches: they are only good once the iterator has ended.
        """
        import pyarrow as pa

        try:
            with pa.ipc.open_stream(self._stdout) as reader:
                yield from reader
        except (OSError, pa.ArrowInvalid) as error:  # cut short by the child's death
            self._finish()
            raise ChildFailedError("failed", f"the child broke off: {error}") from error
        self._finish()

    def kill(self) -> None:
        """End the child whatever it is doing and free its pipes; harmless when it has ended."""
        self._ended.set()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._stdin, self._stdout):
            with suppress(OSError):  # what is left in the buffer has no reader any more
                stream.close()

    @contextmanager
    def _broken_pipe_explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._finish()
            raise ChildFailedError("failed", f"the child broke off: {error}") from error

    def _finish(self) -> None:
        """Wait for the end; a stream that ends without an error status was complete."""
        status = self._process.wait()
        self._ended.set()
        if self._cut_off is not None:
            raise self._cut_off
        if status != 0:
            raise _failure(status, self._stderr)

    def _watch(self, wall_s: float, cancelled: threading.Event) -> None:
        """Kill the child, which unblocks whoever waits for it, at the time or when told to."""
        deadline = time.monotonic() + wall_s
        while not self._ended.wait(_WATCH_S):
            if cancelled.is_set():
                self._cut_off = ChildFailedError("cancelled", "was cancelled")
            elif time.monotonic() >= deadline:
                self._cut_off = ChildFailedError("timeout", f"took more than {wall_s:g} seconds")
            if self._cut_off is not None:
                self._process.kill()
                return


@contextmanager
def start_child(
    module: str,
    header: dict[str, Any],
    limits: ChildLimits,
    cancelled: threading.Event | None = None,
) -> Iterator[Child]:
    """Start ``python -m module``, send it the header and yield it; it is gone when the block ends.

    Another thread may set `cancelled` to end it early; reading then fails with that code.
    The block has to run in the thread that started the child: on Linux the child dies with it.
    """
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=_environment(),
            process_group=0,  # a Ctrl-C at the terminal is for the parent to handle
        )
        child = Child(process, stderr, limits.wall_s, cancelled or threading.Event())
        try:
            child.send_header(header, limits)
            yield child
        finally:
            child.kill()


def _environment() -> dict[str, str]:
    """Nothing of the parent's environment: it holds the service's secrets."""
    return {
        "PYTHONPATH": str(_ROOT),
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "MALLOC_ARENA_MAX": "2",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "OMP_NUM_THREADS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",  # keys come from settings, never from the machine
    }


def _failure(status: int, stderr: IO[bytes]) -> ChildFailedError:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - 16_384))
    text = stderr.read().decode("utf-8", "replace")
    with suppress(ValueError, KeyError, TypeError):
        answer = json.loads(text[text.index("{") :]) if status == FAILED_STATUS else {}
        return ChildFailedError(answer["code"], answer["detail"])
    if status == -signal.SIGXCPU:
        return ChildFailedError("timeout", "used up its processor time")
    if status == -signal.SIGKILL or speaks_of_memory(text):
        return ChildFailedError("memory", "out of memory")
    return ChildFailedError("failed", f"ended with status {status}: {text.strip()[-500:]}")


def speaks_of_memory(text: str) -> bool:
    """Tell whether an error text of a library means that memory ran out."""
    return any(sign.lower() in text.lower() for sign in _MEMORY_SIGNS)
