import bz2

import pytest

from shared.tables.child_process import ChildFailedError
from shared.tables.readers.formats import format_of


@pytest.mark.parametrize(
    ("name", "declared", "prefix", "expected"),
    [
        ("a.csv", None, b"a,b", "csv"),
        ("a.TSV", None, b"a\tb", "csv"),
        ("a.json", None, b"[]", "json"),
        ("a.jsonl", None, b"{}", "ndjson"),
        ("a.parquet", None, b"PAR1", "parquet"),
        ("upload", None, b"PAR1", "parquet"),
        ("a.csv", None, b"PAR1", "parquet"),
        ("a.md", None, b"# x", "txt"),
        ("a.htm", None, b"x", "html"),
        ("upload", None, b" [{", "json"),
        ("upload", None, b"\xef\xbb\xbf<!DOCTYPE HTML>", "html"),
        ("upload", None, b"hello", "txt"),
        ("a.txt", "csv", b"a,b", "csv"),
        ("upload", "JSONL", b"{}", "ndjson"),
        ("a.csv", None, "a,b\n".encode("utf-16-le") * 200, "csv"),
        ("a.csv", None, b"%PDF-1.7", "pdf"),
        ("a.csv", None, b"PK\x03\x04", "zip"),
        ("a.txt", None, b"\x89PNG\r\n\x1a\n", "image"),
        ("a.png", "jpg", b"GIF89a", "image"),
        ("a.pdf", "pdf-pages", b"%PDF-1.7", "pdf-pages"),
        ("a.xml", None, b"<a/>", "xml"),
        ("a.txt", None, b"<?xml version='1.0'?><a/>", "txt"),
        ("upload", None, b"<?xml version='1.0'?><a/>", "xml"),
        ("upload", None, b"<?xml version='1.0'?>\n<!DOCTYPE html>", "html"),
        ("a.csv", None, b"PARENT_ID,NAME\n1,x\n", "csv"),
        ("a.csv", None, b"PAR1,PAR2\n1,2\n", "csv"),
        ("a.csv", None, b"PAR1\n7\n", "csv"),
        ("a.csv", None, b"BZh,Rar!,ARROW1\n", "csv"),
        ("a.txt", None, b"Rar! is what I said", "txt"),
        ("a.txt", None, b"ARROW1 points left", "txt"),
        ("a.csv", None, b"PAR1\x15\x04\x15", "parquet"),
    ],
)
def test_the_format_is_as_declared_or_named_or_what_it_looks_like(name, declared, prefix, expected):
    assert format_of(name, declared, prefix) == expected


@pytest.mark.parametrize(
    ("declared", "prefix", "reason"),
    [
        (None, b"\x7fELF\2\1\1", "an ELF program"),
        ("csv", b"PK\x03\x04", "a zip archive, not csv"),
        ("csv", b"PAR1", "a parquet file"),
        ("parquet", b"a,b\n", "not a parquet file"),
        ("csv", b"%PDF-1.7", "a PDF document"),
        (None, b"\x1f\x8b\x08", "a gzip archive"),
        (None, bz2.compress(b"a,b\n"), "a bzip2 archive"),
        (None, bz2.compress(b""), "a bzip2 archive"),
        (None, b"Rar!\x1a\x07\x01\0", "a rar archive"),
        (None, b"ARROW1\0\0\xff", "an Arrow file"),
        (None, b"PARE\x2f\x01\0\0\x8a", "an encrypted parquet file"),
        ("yaml", b"<a/>", "none of csv"),
        ("pdf", b"<a/>", "not a PDF document, although pdf was expected"),
        ("image", b"PK\x03\x04", "a zip archive, not image"),
        ("png", b"%PDF-1.7", "a PDF document, not image"),
        (None, bytes(range(256)) * 4, "binary data"),
    ],
)
def test_content_that_is_something_else_is_refused(declared, prefix, reason):
    with pytest.raises(ChildFailedError) as refused:
        format_of("data.csv", declared, prefix)

    assert refused.value.code == "unreadable"
    assert reason in refused.value.detail
