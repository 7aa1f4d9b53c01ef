"""Reads texts and web pages: one row for each, and the title and text of any document."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

from shared.domain.columns import Column
from shared.tables.readers.charset import decode_document
from shared.tables.readers.json_check import printable
from shared.tables.readers.pdf import pdf_text
from shared.tables.readers.records import ReadLimits, Tally, unreadable
from shared.tables.readers.source import Source, Table, one_row, whole
from shared.tables.readers.word import docx_text
from shared.tables.readers.xml_document import xml_text

_TEXT_COLUMNS = (Column("text", "string"), Column("name", "string"))
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_BLANK = re.compile(r"[ \t]*\n\s*\n\s*")


def read_txt(source: Source) -> Table:
    """Read a text as one row: ``text, name``."""
    text, charset = _text(whole(source.path, source.limits))
    row = {"text": text, "name": printable(source.name)}
    return one_row(row, _TEXT_COLUMNS, charset=charset)


def read_html(source: Source) -> Table:
    """Read a web page as one row: ``name, title, text``, the text being its main content."""
    title, text, charset = _page(whole(source.path, source.limits))
    row = {"name": printable(source.name), "title": title, "text": text}
    return one_row(row, charset=charset)


def is_document(kind: str) -> bool:
    """Tell whether `document_text` reads files of this format."""
    return kind in _DOCUMENTS


def document_text(path: Path, kind: str, limits: ReadLimits) -> tuple[str | None, str]:
    """Return title and text of a document of the format ``kind``."""
    return _DOCUMENTS[kind](path, limits)


def _txt_document(path: Path, limits: ReadLimits) -> tuple[str | None, str]:
    return None, _text(whole(path, limits))[0]


def _html_document(path: Path, limits: ReadLimits) -> tuple[str | None, str]:
    title, text, _ = _page(whole(path, limits))
    return title, text


def _pdf_document(path: Path, limits: ReadLimits) -> tuple[str | None, str]:
    tally = Tally()
    title, texts = pdf_text(path, limits, tally)
    if tally.unreadable:  # a row for the document would hide what it lacks
        raise unreadable(tally.samples[0].reason)
    return title, "\n\n".join(text for _, text in texts)


_DOCUMENTS: dict[str, Callable[[Path, ReadLimits], tuple[str | None, str]]] = {
    "txt": _txt_document,
    "html": _html_document,
    "xml": xml_text,
    "pdf": _pdf_document,
    "docx": docx_text,
}


def _text(data: bytes) -> tuple[str, str]:
    try:
        text, charset = decode_document(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unreadable(f"line {line} is not {error.encoding}") from error
    return _clean(text), charset.removesuffix("-sig")


def _clean(text: str) -> str:
    if "\0" in text:
        raise unreadable(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}: a NUL character")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _page(data: bytes) -> tuple[str | None, str, str]:
    """Return title, main text and charset of a web page."""
    # Here, because only pages pay the half second that this import takes.
    import trafilatura
    from selectolax.lexbor import LexborHTMLParser

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    markup, charset = _markup(data)
    tree = LexborHTMLParser(markup)
    node = tree.css_first("title")
    title = " ".join(node.text().split()) if node is not None else ""
    text = trafilatura.extract(markup, include_comments=False, include_tables=True) or ""
    if not text.strip():
        tree.strip_tags(["script", "style", "noscript", "template", "title"])
        body = tree.body
        text = _BLANK.sub("\n\n", body.text(separator="\n")).strip() if body is not None else ""
    return title.replace("\0", "") or None, text.replace("\0", ""), charset


def _markup(data: bytes) -> tuple[str, str]:
    declared = _META_CHARSET.search(data[:4096])
    if declared is not None:
        name = declared.group(1).decode("ascii", "replace")
        try:
            return data.decode(name), name.lower()
        except (UnicodeDecodeError, LookupError):
            pass  # the page is wrong about itself
    text, charset = _text(data)
    return text, charset
