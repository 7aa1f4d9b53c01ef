"""Reads the text of a PDF document: one row for all of it, or one for each page."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch
from shared.tables.readers.json_check import printable
from shared.tables.readers.records import ReadLimits, Tally, nothing_readable, unreadable
from shared.tables.readers.source import DOCUMENT_COLUMNS, Source, Table, one_row

if TYPE_CHECKING:
    from pypdf import PdfReader

_DOCUMENT = (*DOCUMENT_COLUMNS, Column("pages", "integer"))
_PAGE = (
    Column("name", "string"),
    Column("title", "string"),
    Column("page", "integer"),
    Column("text", "string"),
)


def read_pdf(source: Source) -> Table:
    """Read a PDF document as one row: ``name, title, text, pages``; a blank line ends a page."""
    tally = Tally()
    title, texts = pdf_text(source.path, source.limits, tally)
    row = {
        "name": printable(source.name),
        "title": title,
        "text": "\n\n".join(text for _, text in texts),
        "pages": len(texts) + tally.unreadable,
    }
    return one_row(row, _DOCUMENT, tally=tally)


def read_pdf_pages(source: Source) -> Table:
    """Read a PDF document as one row for each page: ``name, title, page, text``."""
    tally = Tally()
    name = printable(source.name)
    title, texts = pdf_text(source.path, source.limits, tally)
    rows = [{"name": name, "title": title, "page": page, "text": text} for page, text in texts]
    return Table(_PAGE, iter([rows_to_batch(rows, _PAGE)]), tally)


def pdf_text(
    path: Path, limits: ReadLimits, tally: Tally
) -> tuple[str | None, list[tuple[int, str]]]:
    """Return title and text of each page with its number; pages that cannot be read are counted.

    A scanned page has no text; it is empty, and so is a document of such pages.
    """
    with _refusals():
        reader = _open(path)
        pages = len(reader.pages)
        if pages > limits.pages:
            raise unreadable(f"{pages} pages are more than {limits.pages}")
        title = _title(reader)
    if not pages:
        raise unreadable("the document has no pages")
    texts = list(_texts(reader, pages, limits, tally))
    if not texts:
        raise nothing_readable(tally)
    return title, texts


def _open(path: Path) -> "PdfReader":
    # Here, because only documents pay for this import.
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise unreadable("the document is encrypted")
    return reader


def _texts(
    reader: "PdfReader", pages: int, limits: ReadLimits, tally: Tally
) -> Iterator[tuple[int, str]]:
    chars = 0
    for number in range(1, pages + 1):
        try:
            text = _clean(reader.pages[number - 1].extract_text())
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a page does to the library, it is told
            tally.miss(number, f"page {number}: {type(error).__name__}: {error}")
            continue
        chars += len(text)
        if chars > limits.document_bytes:
            raise unreadable(f"more than {limits.document_bytes} characters of text")
        yield number, text


def _title(reader: "PdfReader") -> str | None:
    title: Any = reader.metadata.title if reader.metadata is not None else None
    return _clean(str(title)).strip() or None if title else None


def _clean(text: str) -> str:
    return printable(text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n"))


@contextmanager
def _refusals() -> Iterator[None]:
    from pypdf.errors import LimitReachedError, PyPdfError

    try:
        yield
    except LimitReachedError as error:
        raise unreadable(f"the document passes a limit: {error}", "decompression_limit") from error
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(f"not a whole PDF document: {error}") from error
    except RecursionError as error:
        raise unreadable("the document contains itself") from error
