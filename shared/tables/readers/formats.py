"""Which format a file has: by its content, as declared, by its name."""

from pathlib import Path, PurePosixPath

from shared.tables.readers.magic import content_format, foreign, package_of
from shared.tables.readers.records import unreadable

PREFIX_BYTES = 64 << 10
FORMATS = (
    "csv", "json", "ndjson", "parquet", "txt", "html", "xml", "pdf", "pdf-pages", "docx", "xlsx",
    "zip", "image",
)  # fmt: skip
TABULAR = frozenset({"csv", "json", "ndjson", "parquet", "xlsx"})

_BINARY = frozenset({"parquet", "pdf", "docx", "xlsx", "zip", "image"})
_SYNONYMS = {
    "jsonl": "ndjson", "text": "txt", "htm": "html", "tsv": "csv", "pq": "parquet", "png": "image",
    "jpeg": "image", "jpg": "image", "gif": "image", "webp": "image",
}  # fmt: skip
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "txt",
    ".text": "txt",
    ".md": "txt",
    ".rst": "txt",
    ".log": "txt",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".xml": "xml",
    ".rss": "xml",
    ".atom": "xml",
    ".pdf": "pdf",
    ".docx": "docx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".zip": "zip",
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".gif": "image",
    ".webp": "image",
}


def format_of_file(path: Path, name: str, declared: str | None) -> str:
    """Return the format of a file (see `format_of`), looking into an archive for what it is."""
    with path.open("rb") as file:
        prefix = file.read(PREFIX_BYTES)
    package = package_of(path) if content_format(prefix) == "zip" else None
    return format_of(name, declared, prefix, package)


def format_of(name: str, declared: str | None, prefix: bytes, package: str | None = None) -> str:
    """Return one of `FORMATS`; raise a refusal for unknown formats and foreign content.

    What ``prefix`` (the first bytes) shows beyond doubt wins over the suffix of ``name`` and must
    not contradict what was ``declared``; texts are as declared, else by their suffix, else by what
    they look like. ``package`` says what a zip archive holds.
    """
    wanted = _declared(declared)
    found = content_format(prefix)
    found = (package or found) if found == "zip" else found
    what = foreign(prefix) or (None if found is None or found in FORMATS else found)
    if what is not None:
        raise unreadable(f"this is {what}, not {wanted or 'a table, a document or an image'}")
    if found is not None:
        return _agreed(found, wanted)
    chosen = wanted or _SUFFIXES.get(PurePosixPath(name.lower()).suffix) or _guessed(prefix)
    if _content_of(chosen) in _BINARY:
        raise unreadable(f"this is not {_named(chosen)}, although {chosen} was expected")
    _refuse_binary(prefix, chosen)
    return chosen


def _declared(declared: str | None) -> str | None:
    if declared is None:
        return None
    chosen = _SYNONYMS.get(declared.lower(), declared.lower())
    if chosen not in FORMATS:
        raise unreadable(f"format {declared!r} is none of {', '.join(FORMATS)}")
    return chosen


def _agreed(found: str, wanted: str | None) -> str:
    if wanted is None or _content_of(wanted) == found:
        return wanted or found
    raise unreadable(f"this is {_named(found)}, not {wanted}")


def _content_of(chosen: str) -> str:
    return "pdf" if chosen == "pdf-pages" else chosen


def _named(kind: str) -> str:
    names = {
        "parquet": "a parquet file", "pdf": "a PDF document", "pdf-pages": "a PDF document",
        "docx": "a Word document", "xlsx": "a workbook", "zip": "a zip archive",
        "image": "an image",
    }  # fmt: skip
    return names[kind]


def _guessed(prefix: bytes) -> str:
    start = prefix.removeprefix(b"\xef\xbb\xbf").lstrip()[:2048].lower()
    if start.startswith((b"{", b"[")):
        return "json"
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    if not start.startswith(b"<?xml"):
        return "txt"
    return "html" if b"<!doctype html" in start or b"<html" in start else "xml"


def _refuse_binary(prefix: bytes, chosen: str) -> None:
    """Refuse what has so many control characters that no row could be meant as text."""
    if len(prefix) < 512 or prefix.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return
    zeros = prefix.count(0)
    if zeros > len(prefix) // 4 and (prefix[::2].count(0) == 0 or prefix[1::2].count(0) == 0):
        return  # UTF-16 without a mark
    controls = sum(map(prefix.count, _CONTROLS))
    if controls > len(prefix) // 20:
        raise unreadable(f"this is binary data, not {chosen}")


_CONTROLS = [bytes([code]) for code in range(32) if code not in b"\t\n\r\f\x1b"]
