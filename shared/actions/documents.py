"""Several uploaded files read as one folder of documents, under the names their owner gave."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from shared.actions.job_request import UploadedFile
from shared.domain.columns import Column
from shared.tables.arrow import batch_to_rows, rows_to_batch
from shared.tables.reading import Reading, ReadLimits, read_folder

_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}\Z")
_OURS = re.compile(r"[0-9]{8}(\.[a-z0-9]{1,10})?(?=: )")
_LONGEST_NAME = 1_000


class Documents:
    """A folder being read; its files bear our numbers, its rows the owner's names."""

    def __init__(self, reading: Reading, names: dict[str, str]) -> None:
        self._reading, self._names = reading, names

    @property
    def columns(self) -> tuple[Column, ...]:
        """``name, title, text``."""
        return self._reading.columns

    def batches(self) -> Iterator[Any]:
        """Yield the rows; to be iterated once."""
        for batch in self._reading.batches():
            rows = [{**row, "name": self._named(row["name"])} for row in batch_to_rows(batch)]
            yield rows_to_batch(rows, self.columns)

    def report(self) -> dict[str, Any]:
        """Return what was read and what was not, after the last batch."""
        report = self._reading.report.to_json()
        samples = [
            {**one, "reason": _OURS.sub(lambda found: self._named(found[0]), one["reason"])}
            for one in report["samples"]
        ]
        return {**report, "samples": samples}

    def _named(self, ours: str) -> str:
        return self._names.get(ours, ours)


@contextmanager
def open_documents(files: Sequence[UploadedFile], limits: ReadLimits) -> Iterator[Documents]:
    """Lay the files into a folder of their own, numbered, and open it for reading."""
    with tempfile.TemporaryDirectory(prefix="apwa-documents-") as folder:
        names = {}
        for number, file in enumerate(files):
            ours = f"{number:08}{_suffix(file.name)}"
            names[ours] = file.name[:_LONGEST_NAME].replace("\0", "")
            Path(folder, ours).hardlink_to(file.path)
        with read_folder(Path(folder), limits=limits) as reading:
            yield Documents(reading, names)


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name.lower()).suffix
    return suffix if _SUFFIX.match(suffix) else ""
