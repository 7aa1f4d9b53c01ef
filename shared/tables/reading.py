"""Reads a file or folder into typed batches, in a child process that can be killed."""

import json
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from shared.domain.columns import Column
from shared.tables.arrow import columns_of
from shared.tables.child_process import Child, ChildFailedError, ChildLimits, start_child
from shared.tables.readers.records import ReadLimits, ReadReport, UnreadableRow

__all__ = [
    "ReadLimits",
    "ReadReport",
    "Reading",
    "Unreadable",
    "UnreadableRow",
    "read_file",
    "read_folder",
]

_CHILD = "shared.tables.readers.child"
_CODES = {"timeout": "read_timeout", "memory": "read_memory", "failed": "unreadable"}


class Unreadable(Exception):
    """The file cannot be read at all or passes a limit.

    ``code`` is ``unreadable``, ``decompression_limit``, ``too_many_columns``, ``read_timeout`` or
    ``read_memory``; ``detail`` is for the person who sent the file.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Reading:
    """A file being read: its columns are known, its rows come by `batches`, then its `report`.

    It belongs to the thread that opened it and has to be closed, best as a context manager;
    closing kills the child wherever it is.
    """

    columns: tuple[Column, ...]

    def __init__(
        self, path: Path, name: str, declared: str | None, limits: ReadLimits,
        sheet: str | None = None,
    ) -> None:  # fmt: skip
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="apwa-read-"))
            self._report_path = Path(folder, "report.json")
            scratch = Path(folder, "scratch")  # here, so that it goes even if the child is killed
            scratch.mkdir()
            header = {
                "path": str(path.resolve(strict=True)),
                "name": name,
                "format": declared,
                "limits": asdict(limits),
                "report": str(self._report_path),
                "scratch": str(scratch),
                "sheet": sheet,
            }
            child_limits = ChildLimits(limits.memory_bytes, limits.wall_s, limits.archive_bytes)
            with _refusals():
                child = stack.enter_context(start_child(_CHILD, header, child_limits))
            self._stream = self._receive(child)
            first = next(self._stream)
            self.columns = columns_of(first.schema)
            self._report: ReadReport | None = None
            self._stack = stack.pop_all()

    def __enter__(self) -> "Reading":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, at most 10,000 or about 1 MB at a time; to be iterated once.

        Raises `Unreadable`, possibly after batches: they count only once the iterator has ended.
        """
        for batch in self._stream:
            if batch.num_rows:
                yield batch
        if self._report is None and self._report_path.exists():
            self._report = ReadReport.from_json(json.loads(self._report_path.read_bytes()))

    @property
    def report(self) -> ReadReport:
        """What was read and what was not; there once `batches` has ended."""
        if self._report is None:
            raise RuntimeError("the report is there once all batches were taken")
        return self._report

    def close(self) -> None:
        """Kill the child if it still runs and free what the reading holds."""
        self._stream.close()
        self._stack.close()

    def _receive(self, child: Child) -> Generator[pa.RecordBatch]:
        with _refusals():
            child.close_input()
            yield from child.receive()


def read_file(
    path: Path, *, name: str, format: str | None = None, sheet: str | None = None,
    limits: ReadLimits | None = None,
) -> Reading:  # fmt: skip
    """Open a file (or folder) for reading; ``name`` is what its owner calls it.

    ``format`` is one of `readers.formats.FORMATS` or None (told by the content and the name's
    suffix), ``sheet`` the sheet of a workbook. The file is read twice, first for its columns, and
    must not change meanwhile. Raises `Unreadable`, and OSError when there is no such file.
    """
    return Reading(path, name, format, limits or ReadLimits(), sheet)


def read_folder(path: Path, *, limits: ReadLimits | None = None) -> Reading:
    """Open a folder of documents or images: one row for each (see `readers.folder`)."""
    if not path.is_dir():
        raise NotADirectoryError(str(path))
    return Reading(path, path.name, None, limits or ReadLimits())


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ChildFailedError as error:
        raise Unreadable(_CODES.get(error.code, error.code), error.detail) from error
