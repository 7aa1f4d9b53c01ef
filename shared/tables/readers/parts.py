"""Many files as one table: a row for each document, or for each image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.tables.arrow import rows_to_batch
from shared.tables.child_process import ChildFailedError
from shared.tables.readers.documents import document_text, is_document
from shared.tables.readers.formats import TABULAR
from shared.tables.readers.images import IMAGE_COLUMNS, image_row
from shared.tables.readers.records import ReadLimits, Tally
from shared.tables.readers.source import DOCUMENT_COLUMNS, Table

_BLOCK_CHARS = 512 << 10
_BLOCK_ROWS = 1_000
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One file among many: its place (from 1), its owner's name, where it lies, its format.

    With a ``fault`` it has no format: it was told at first sight that it cannot be read.
    """

    number: int
    name: str
    path: Path
    kind: str
    fault: str | None = None


def prevailing(parts: Sequence[Part]) -> str:
    """Return what most of the parts are: ``documents``, ``images`` or ``tables``."""
    groups = [_group(part.kind) for part in parts]
    return max(("documents", "images", "tables"), key=groups.count)


def of_group(parts: Sequence[Part], group: str, tally: Tally) -> Iterator[Part]:
    """Yield the parts that belong to the group; the others are counted as unreadable."""
    for part in parts:
        if part.fault is not None:
            tally.miss(part.number, f"{part.name}: {part.fault}")
        elif _group(part.kind) == group:
            yield part
        else:
            what = "tabular file" if part.kind in TABULAR else "file"
            tally.miss(part.number, f"{part.name}: {what} ({part.kind}) among {group}")


def documents_table(parts: Sequence[Part], limits: ReadLimits, tally: Tally) -> Table:
    """Return ``name, title, text`` of each document."""

    def rows() -> Iterator[_Row]:
        for part in of_group(parts, "documents", tally):
            try:
                title, text = document_text(part.path, part.kind, limits)
            except (ChildFailedError, OSError) as error:
                tally.miss(part.number, f"{part.name}: {_told(error)}")
            else:
                yield {"name": part.name, "title": title, "text": text}

    batches = (rows_to_batch(block, DOCUMENT_COLUMNS) for block in _blocks(rows(), "text"))
    return Table(DOCUMENT_COLUMNS, batches, tally)


def images_table(parts: Sequence[Part], limits: ReadLimits, tally: Tally) -> Table:
    """Return ``name, mime, width, height, image`` of each image."""

    def rows() -> Iterator[_Row]:
        for part in of_group(parts, "images", tally):
            try:
                yield image_row(part.path, part.name, limits)
            except (ChildFailedError, OSError) as error:
                tally.miss(part.number, f"{part.name}: {_told(error)}")

    batches = (rows_to_batch(block, IMAGE_COLUMNS) for block in _blocks(rows(), "image"))
    return Table(IMAGE_COLUMNS, batches, tally)


def _group(kind: str) -> str:
    if kind == "image":
        return "images"
    return "tables" if kind in TABULAR else "documents" if is_document(kind) else "others"


def _told(error: ChildFailedError | OSError) -> str:
    return error.detail if isinstance(error, ChildFailedError) else str(error.strerror)


def _blocks(rows: Iterator[_Row], heavy: str) -> Iterator[list[_Row]]:
    block: list[_Row] = []
    chars = 0
    for row in rows:
        block.append(row)
        chars += len(row[heavy] or "")
        if chars >= _BLOCK_CHARS or len(block) >= _BLOCK_ROWS:
            yield block
            block, chars = [], 0
    if block:
        yield block
