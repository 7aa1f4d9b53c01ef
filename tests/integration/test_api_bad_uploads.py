"""Files that are wrong: bad rows are told with their line, hostile files refused as a whole."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from shared.domain.columns import Column
from shared.settings import Settings
from shared.tables.writers.parquet import write_parquet
from tests import files
from tests.integration.api_door import TICKETS, Api, problem
from tests.integration.bad_requests import Case, each_is_refused, nested, undeclared


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def upload(
    body: bytes, query: str = "", kind: str = "text/csv", coding: str = "identity"
) -> Callable[[Api], TestResponse]:
    headers = {"Content-Type": kind, "Content-Encoding": coding}
    return lambda api: api.post(f"/v1/tables{query}", data=body, headers=headers)


def wide_csv(columns: int) -> bytes:
    names = b",".join([b"c%d" % n for n in range(columns)])
    return names + b"\n" + b",".join([b"1"] * columns)


def parquet() -> bytes:
    """Return a parquet file with rows enough to be cut in the middle."""
    columns = [Column("id", "integer"), Column("text", "string")]
    return b"".join(write_parquet(columns, [[{"id": n, "text": f"t{n}"} for n in range(500)]]))


PARQUET = "application/vnd.apache.parquet"
HOSTILE = [
    ("elf.csv", b"\x7fELF" + b"\0" * 600, "unreadable"),
    ("elf.docx", b"\x7fELF" + b"\0" * 600, "unreadable"),
    ("bomb.zip", files.zipped({"a.csv": b"\0" * 100_000_000}), "decompression_limit"),
    ("overlap.zip", files.overlapping_zip(), "decompression_limit"),
    ("nested.zip", files.zipped({"b.zip": files.zipped({"c.csv": b"a"})}), "unreadable"),
    ("bomb.xlsx", files.zipped({"xl/workbook.xml": b" " * 100_000_000}), "decompression_limit"),
    ("bomb.docx", files.zipped({"word/document.xml": b" " * 100_000_000}), "decompression_limit"),
    ("cut.docx", files.docx("text")[:-300], "unreadable"),
    ("bomb.xml", files.xml_bomb(), "unreadable"),
    ("outside.xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
     "unreadable"),
    ("loop.pdf", files.pdf("a", objects={1: b"1 0 R"}), "unreadable"),
    ("cut.pdf", files.pdf("a")[:60], "unreadable"),
    ("cut.png", files.image()[:40], "unreadable"),
    ("huge.png", files.huge_png(50_000, 50_000), "decompression_limit"),
]  # fmt: skip


UPLOADS = [
    Case("no type", upload(b"a\n1\n", kind=""), 415, "unsupported_media_type"),
    Case("odd type", upload(b"a\n1\n", kind="video/mp4"), 415, "unsupported_media_type"),
    Case("odd format", upload(b"a\n1\n", "?format=xls"), 422, "invalid", "/query/format"),
    Case("empty file", upload(b""), 422, "unreadable"),
    Case("an ELF named csv", upload(b"\x7fELF" + b"\0" * 600), 422, "unreadable"),
    *[
        Case(f"parquet {name}", upload(data, kind=PARQUET), 422, "unreadable")
        for name, data in (
            ("cut in the middle", parquet()[:2_000]),
            ("cut before its end", parquet()[:-6]),
            ("of noise", b"PAR1" + b"\x15\x04" * 200),
        )
    ],
    *[
        Case(f"upload {name}", upload(data, f"?name={name}", "application/octet-stream"), 422, code)
        for name, data, code in HOSTILE
    ],
    Case(
        "an ELF as pdf", upload(b"\x7fELF" + b"\0" * 600, kind="application/pdf"), 422, "unreadable"
    ),
    Case("sheet of a csv", upload(b"a\n1\n", "?sheet=A"), 422, "unreadable"),
    Case(
        "sheet that is not there",
        upload(files.xlsx(A=[["a"], [1]]), "?sheet=B", "application/octet-stream"),
        422,
        "unreadable",
    ),
    Case("not json", upload(b"hello", kind="application/json"), 422, "unreadable"),
    Case("10,000 columns", upload(wide_csv(10_000)), 422, "too_many_columns"),
    Case("nothing but broken lines", upload(b"a,b\n1\n2\n"), 422, "unreadable"),
    Case("blank lines", upload(b"\n\n\n"), 422, "unreadable"),
    Case("json of a number", upload(b"5", kind="application/json"), 422, "unreadable"),
    Case("json nested 200 deep", upload(json.dumps([{"a": nested(200)}]).encode(),
         kind="application/json"), 422, "unreadable"),
    Case("json of 400 digits", upload(b'[{"a": %s}]' % (b"9" * 400), kind="application/json"),
         422, "unreadable"),
    Case("json of a lone surrogate", upload(b'[{"a": "\\ud800"}]', kind="application/json"),
         422, "unreadable"),
    Case("unknown key", upload(b"a\n1\n", "?key=b"), 422, "invalid", "/query/key"),
    Case("key repeats", upload(b"a\n1\n1\n", "?key=a"), 422, "key_not_unique", "/query/key"),
    Case("long name", upload(b"a\n1\n", "?name=" + "n" * 300), 422, "invalid", "/query/name"),
    Case("compressed", upload(b"x", kind="text/csv", coding="gzip"), 415, "unsupported_media_type"),
]  # fmt: skip


def test_a_file_that_cannot_be_read_is_refused(api: Api, subtests: pytest.Subtests) -> None:
    each_is_refused(api, subtests, UPLOADS)


# what a file holds, how many rows of it are read, and the lines and reasons told of the others
ODD: list[tuple[str, bytes, int, list[tuple[int, str]]]] = [
    ("a broken line", b"id,text\n1,a\n2,b,c,d\n3,e\n", 2, [(3, "4 fields instead of 2")]),
    ("a mixed dialect", b"a,b,c\n1,2,3\n4;5;6\n7,8,9\n", 2, [(3, "1 fields instead of 3")]),
    ("no header", b"1,2\n3,4\n", 2, []),
    ("a header alone", b"id,text\n", 0, []),
    ("bytes of another charset", "a,b\n1,é\n2,ü\n".encode() + b"3,\xff\n", 2,
     [(4, "bytes that are not utf-8")]),
    ("a NUL", b"a,b\n1,x\0y\n2,z\n", 1, [(2, "a NUL character")]),
]  # fmt: skip


def test_unreadable_rows_of_a_file_are_reported_with_line_and_reason(
    api: Api, subtests: pytest.Subtests
) -> None:
    for name, body, rows, missed in ODD:
        with subtests.test(name):
            answer = upload(body, "?name=odd")(api)
            assert answer.status_code == 201, answer.text
            table = answer.get_json()
            report = table["report"]
            assert (table["rows"], report["unreadable"]) == (rows, len(missed))
            assert [(one["line"], one["reason"]) for one in report["samples"]] == missed


def test_a_file_in_an_old_charset_is_read_as_what_it_is(api: Api) -> None:
    body = "id,name\n" + "".join(f"{n},Jürgen Groß aus Málaga\n" for n in range(20))
    table = upload(body.encode("cp1252"))(api).get_json()
    assert (table["rows"], table["report"]["charset"]) == (20, "cp1252")


def test_the_whole_job_is_refused_when_one_of_its_files_cannot_be_read(api: Api) -> None:
    before = api.kept()
    form = {
        "job": json.dumps({"goal": "x", "inputs": {"a": {"rows": TICKETS}, "b": {}}}),
        "b": (io.BytesIO(b"\x7fELF" + b"\0" * 600), "b.csv"),
    }
    problem(api.post("/v1/jobs", data=form), 422, "unreadable")
    assert api.kept() == before


def test_a_file_over_the_limit_is_refused_declared_or_not(
    settings: Settings, database: Engine, subtests: pytest.Subtests
) -> None:
    api = Api(replace(settings, upload_max_bytes=10_000), database)
    try:
        before, large = api.kept(), b"a\n" + b"1\n" * 10_000
        form = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.csv"\r\n\r\n'
        form += large + b"\r\n--x--\r\n"
        for kind, body in (("text/csv", large), ("multipart/form-data; boundary=x", form)):
            with subtests.test(kind):
                problem(api.post("/v1/tables", data=body, content_type=kind), 413, "too_large")
                problem(undeclared(api, "/v1/tables", body, kind), 413, "too_large")
        assert api.kept() == before
    finally:
        api.close()
