"""How a reader is called without a child, and how it is seen to refuse."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from shared.tables.arrow import batch_to_rows
from shared.tables.child_process import ChildFailedError
from shared.tables.readers.batches import cut_batches
from shared.tables.readers.formats import format_of_file
from shared.tables.readers.records import ReadLimits
from shared.tables.readers.registry import read_source
from shared.tables.readers.source import Source, Table


class Kit:
    """Reads bytes as a file of that name would be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def table(
        self, data: bytes, name: str = "upload", *, declared: str | None = None,
        sheet: str | None = None, **limits: Any,
    ) -> Table:  # fmt: skip
        """Return the opened table; its batches wait."""
        path = self._folder / "file"
        path.write_bytes(data)
        scratch = Path(tempfile.mkdtemp(dir=self._folder))
        kind = format_of_file(path, name, declared)
        return read_source(Source(path, name, kind, ReadLimits(**limits), scratch, sheet))

    def rows(self, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
        """Return all rows."""
        table = self.table(*arguments, **options)
        return [row for batch in cut_batches(table) for row in batch_to_rows(batch)]

    def rows_or_refusal(self, *arguments: Any, **options: Any) -> list[dict[str, Any]] | str:
        """Return all rows, or the code of the refusal."""
        try:
            return self.rows(*arguments, **options)
        except ChildFailedError as error:
            return error.code

    def refusal(self, *arguments: Any, **options: Any) -> ChildFailedError:
        """Return why the file is refused."""
        with pytest.raises(ChildFailedError) as refused:
            self.rows(*arguments, **options)
        return refused.value
