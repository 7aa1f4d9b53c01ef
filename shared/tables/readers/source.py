"""What the child is asked to read, and what a format's reader hands back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch
from shared.tables.readers.records import ReadLimits, Tally, unreadable


@dataclass(frozen=True, slots=True)
class Source:
    """A file or folder, the name its owner gave it, its format and the limits.

    ``scratch`` is an empty folder for what is unpacked, ``sheet`` the table wanted of a workbook.
    """

    path: Path
    name: str
    format: str
    limits: ReadLimits
    scratch: Path | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What the first look at a file found, and the batches that the second will yield.

    ``batches`` has to be iterated once; it fills ``tally`` on its way.
    """

    columns: tuple[Column, ...]
    batches: Iterator[pa.RecordBatch]
    tally: Tally
    charset: str | None = None
    dialect: dict[str, Any] | None = None


Reader = Callable[[Source], Table]
DOCUMENT_COLUMNS = (
    Column("name", "string"),
    Column("title", "string"),
    Column("text", "string"),
)


def one_row(
    row: dict[str, Any], columns: tuple[Column, ...] = DOCUMENT_COLUMNS, *,
    tally: Tally | None = None, charset: str | None = None,
) -> Table:  # fmt: skip
    """Return the table of a document that is one JSON-ready row."""
    return Table(columns, iter([rows_to_batch([row], columns)]), tally or Tally(), charset)


def whole(path: Path, limits: ReadLimits) -> bytes:
    """Return all bytes of a document; raise a refusal for an empty or too large one."""
    with path.open("rb") as file:
        data = file.read(limits.document_bytes + 1)
    if len(data) > limits.document_bytes:
        raise unreadable(f"a document of more than {limits.document_bytes} bytes")
    if not data:
        raise unreadable("the file is empty")
    return data
