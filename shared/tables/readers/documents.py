"""Reads texts and web pages: one row for each document, alone or in a folder."""

import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch
from shared.tables.child_process import ChildFailedError
from shared.tables.readers.charset import decode_document
from shared.tables.readers.formats import PREFIX_BYTES, TABULAR, format_of
from shared.tables.readers.json_check import printable
from shared.tables.readers.records import ReadLimits, Tally, unreadable
from shared.tables.readers.source import Source, Table

_BLOCK_CHARS = 512 << 10
_TEXT_COLUMNS = (Column("text", "string"), Column("name", "string"))
_PAGE_COLUMNS = (Column("name", "string"), Column("title", "string"), Column("text", "string"))
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_BLANK = re.compile(r"[ \t]*\n\s*\n\s*")

_Row = dict[str, str | None]


def read_txt(source: Source) -> Table:
    """Read a text as one row: ``text, name``."""
    text, charset = _text(_bytes(source.path, source.limits))
    row: _Row = {"text": text, "name": printable(source.name)}
    return Table(_TEXT_COLUMNS, iter([rows_to_batch([row], _TEXT_COLUMNS)]), Tally(), charset)


def read_html(source: Source) -> Table:
    """Read a web page as one row: ``name, title, text``, the text being its main content."""
    title, text, charset = _page(_bytes(source.path, source.limits))
    row: _Row = {"name": printable(source.name), "title": title, "text": text}
    return Table(_PAGE_COLUMNS, iter([rows_to_batch([row], _PAGE_COLUMNS)]), Tally(), charset)


def read_folder(source: Source) -> Table:
    """Read every file below a folder as one row: ``name, title, text``, by name.

    ``name`` is the path relative to the folder. What is no text or page is counted as unreadable.
    """
    tally = Tally()
    batches = (rows_to_batch(block, _PAGE_COLUMNS) for block in _blocks(_documents(source, tally)))
    return Table(_PAGE_COLUMNS, batches, tally)


def _documents(source: Source, tally: Tally) -> Iterator[_Row]:
    for number, path in enumerate(_files(source.path), 1):
        name = printable(path.relative_to(source.path).as_posix())
        try:
            yield _document(path, name, source.limits)
        except ChildFailedError as error:
            tally.miss(number, f"{name}: {error.detail}")
        except OSError as error:
            tally.miss(number, f"{name}: {error.strerror}")
    if not tally.unreadable and not any(_files(source.path)):
        raise unreadable("the folder holds no files")


def _files(folder: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(folder):  # follows no symbolic links
        folders.sort()
        linked = [name for name in folders if Path(directory, name).is_symlink()]
        for name in sorted([*names, *linked]):
            yield Path(directory, name)


def _document(path: Path, name: str, limits: ReadLimits) -> _Row:
    # A link may lead out of the folder, and a pipe may never end.
    if not stat.S_ISREG(path.lstat().st_mode):
        raise unreadable("no regular file")
    with path.open("rb") as file:
        kind = format_of(name, None, file.read(PREFIX_BYTES))
    if kind in TABULAR:
        raise unreadable(f"tabular file in a folder of documents ({kind})")
    data = _bytes(path, limits)
    if kind == "html":
        title, text, _ = _page(data)
        return {"name": name, "title": title, "text": text}
    return {"name": name, "title": None, "text": _text(data)[0]}


def _blocks(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    block: list[_Row] = []
    chars = 0
    for row in rows:
        block.append(row)
        chars += len(row["text"] or "")
        if chars >= _BLOCK_CHARS or len(block) >= 1_000:
            yield block
            block, chars = [], 0
    if block:
        yield block


def _bytes(path: Path, limits: ReadLimits) -> bytes:
    with path.open("rb") as file:
        data = file.read(limits.document_bytes + 1)
    if len(data) > limits.document_bytes:
        raise unreadable(f"a document of more than {limits.document_bytes} bytes")
    if not data:
        raise unreadable("the file is empty")
    return data


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
