"""Reads the text of a Word document (docx), paragraph by paragraph and table by table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch
from shared.tables.readers.archives import open_archive
from shared.tables.readers.json_check import printable
from shared.tables.readers.records import ReadLimits, Tally, unreadable
from shared.tables.readers.source import Source, Table

_COLUMNS = (Column("name", "string"), Column("title", "string"), Column("text", "string"))
_UNPACKED_BYTES = 256 << 20  # the library holds all of it, pictures included


def read_docx(source: Source) -> Table:
    """Read a Word document as one row: ``name, title, text``."""
    title, text = docx_text(source.path, source.limits)
    row = {"name": printable(source.name), "title": title, "text": text}
    return Table(_COLUMNS, iter([rows_to_batch([row], _COLUMNS)]), Tally())


def docx_text(path: Path, limits: ReadLimits) -> tuple[str | None, str]:
    """Return title and text: a line for each paragraph, and for each row of a table, by tabs."""
    with open_archive(path, limits, _UNPACKED_BYTES) as archive:
        archive.verify()
    # Here, because only documents pay for this import.
    from docx import Document
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError

    try:
        document: Any = Document(str(path))
        title = document.core_properties.title
        text = "\n".join(_lines(document))
    except (
        OpcError,
        LxmlError,
        BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        raise unreadable(f"not a whole Word document: {error}") from error
    if len(text) > limits.document_bytes:
        raise unreadable(f"more than {limits.document_bytes} characters of text")
    return _clean(title or "").strip() or None, _clean(text)


def _lines(container: Any) -> Iterator[str]:
    for block in container.iter_inner_content():
        if hasattr(block, "rows"):
            for row in block.rows:
                yield "\t".join(" ".join(_lines(cell)) for cell in _cells(row))
        else:
            yield block.text


def _cells(row: Any) -> Iterator[Any]:
    """Yield the cells once each; a merged one stands at every place it covers."""
    before = None
    for cell in row.cells:
        if cell._tc is not before:  # the only way to tell
            yield cell
        before = cell._tc


def _clean(text: str) -> str:
    return printable(text.replace("\0", "").replace("\r", "\n"))
