"""Which format a file has: as declared, by its name, by its first bytes."""

from pathlib import PurePosixPath

from shared.tables.readers.records import unreadable

PREFIX_BYTES = 64 << 10
FORMATS = ("csv", "json", "ndjson", "parquet", "txt", "html")
TABULAR = frozenset({"csv", "json", "ndjson", "parquet"})

_SYNONYMS = {"jsonl": "ndjson", "text": "txt", "htm": "html", "tsv": "csv", "pq": "parquet"}
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
}
_FOREIGN = (
    (b"\x7fELF", "an ELF program"),
    (b"MZ\x90", "a Windows program"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O program"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"ARROW1", "an Arrow file"),
    (b"PARE", "an encrypted parquet file"),
)
_PARQUET = b"PAR1"


def format_of(name: str, declared: str | None, prefix: bytes) -> str:
    """Return one of `FORMATS`; raise a refusal for unknown formats and foreign content.

    ``declared`` wins over the suffix of ``name``, which wins over what ``prefix`` (the first bytes)
    looks like; parquet is known by its magic unless something else was declared.
    """
    chosen = _declared(declared)
    for magic, what in _FOREIGN:
        if prefix.startswith(magic):
            raise unreadable(f"this is {what}, not {chosen or 'a table or a text'}")
    is_parquet = prefix.startswith(_PARQUET)
    if chosen is None:
        suffix = PurePosixPath(name.lower()).suffix
        chosen = "parquet" if is_parquet else _SUFFIXES.get(suffix) or _guessed(prefix)
    if is_parquet != (chosen == "parquet"):
        what = "a parquet file" if is_parquet else "not a parquet file"
        raise unreadable(f"this is {what}, although {chosen} was expected")
    if chosen != "parquet":
        _refuse_binary(prefix, chosen)
    return chosen


def _declared(declared: str | None) -> str | None:
    if declared is None:
        return None
    chosen = _SYNONYMS.get(declared.lower(), declared.lower())
    if chosen not in FORMATS:
        raise unreadable(f"format {declared!r} is none of {', '.join(FORMATS)}")
    return chosen


def _guessed(prefix: bytes) -> str:
    start = prefix.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()
    if start.startswith((b"{", b"[")):
        return "json"
    return "html" if start.startswith((b"<!doctype html", b"<html")) else "txt"


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
