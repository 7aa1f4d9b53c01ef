"""Reads the text of a Word document (docx), paragraph by paragraph and table by table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from shared.tables.readers.archives import open_archive
from shared.tables.readers.json_check import printable
from shared.tables.readers.records import ReadLimits, unreadable
from shared.tables.readers.source import Source, Table, one_row

_UNPACKED_BYTES = 256 << 20  # the library holds all of it, pictures included


def read_docx(source: Source) -> Table:
    """Read a Word document as one row: ``name, title, text``."""
    title, text = docx_text(source.path, source.limits)
    return one_row({"name": printable(source.name), "title": title, "text": text})


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
            yield from _rows(block)
        else:
            yield block.text


def _rows(table: Any) -> Iterator[str]:
    """Yield a line for each row; a cell merged over several rows says the same in each.

    The library's own cells look for the first of them row by row, anew for every row, and hold a
    wide one as often as it is wide.
    """
    from docx.table import _Cell

    above: dict[int, str] = {}
    for row in table.rows:
        at, here, texts = row.grid_cols_before, {}, []
        for cell in row._tr.tc_lst:
            merged = cell.vMerge == "continue"
            text = above.get(at, "") if merged else " ".join(_lines(_Cell(cell, table)))
            here[at] = text
            texts.append(text)
            at += cell.grid_span
        above = here
        yield "\t".join(texts)


def _clean(text: str) -> str:
    return printable(text.replace("\0", "").replace("\r", "\n"))
