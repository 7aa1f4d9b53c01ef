import zlib

import pytest

from shared.tables.arrow import batch_to_rows
from shared.tables.readers.batches import cut_batches
from tests import files


def test_a_pdf_is_one_row_with_its_title_and_the_number_of_pages(kit):
    data = files.pdf("First page", "Second page", title="The report")

    assert kit.rows(data, "report.pdf") == [
        {
            "name": "report.pdf",
            "title": "The report",
            "text": "First page\n\nSecond page",
            "pages": 2,
        }
    ]


def test_a_pdf_can_be_a_row_for_each_page(kit):
    rows = kit.rows(files.pdf("one", "two"), "a.pdf", declared="pdf-pages")

    assert [(row["page"], row["text"], row["title"]) for row in rows] == [
        (1, "one", None),
        (2, "two", None),
    ]


def test_a_scanned_page_is_an_empty_text(kit):
    data = files.pdf("words", "", objects={8: files.stream(b"0 0 m 10 10 l S")})

    assert [row["text"] for row in kit.rows(data, declared="pdf-pages")] == ["words", ""]


def test_a_page_that_breaks_is_counted_and_the_others_are_read(kit):
    broken = files.stream(b"not deflated at all", b"/Filter /NoSuchFilter")
    table = kit.table(files.pdf("good", "bad", objects={8: broken}), declared="pdf-pages")

    rows = [row for batch in cut_batches(table) for row in batch_to_rows(batch)]

    assert [row["text"] for row in rows] == ["good"]
    assert table.tally.unreadable == 1
    assert table.tally.samples[0].line == 2
    assert table.tally.samples[0].reason.startswith("page 2: ")


PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 6 0 R"


@pytest.mark.parametrize(
    "objects",
    [
        {2: b"<< /Type /Pages /Kids [2 0 R 5 0 R] /Count 2 >>"},
        {2: b"<< /Type /Pages /Kids [7 0 R] /Count 1 >>", 7: b"<< /Type /Pages /Kids [2 0 R] >>"},
        {1: b"1 0 R"},
        {1: b"<< /Type /Catalog /Pages 9 0 R >>", 9: b"9 0 R"},
        {6: b"6 0 R"},
    ],
    ids=[
        "kids-name-their-parent",
        "two-trees",
        "catalogue-is-itself",
        "tree-is-itself",
        "contents",
    ],
)
def test_a_pdf_with_a_loop_ends(kit, objects):
    """Refused, or read as far as it goes: what counts is that it ends, and quickly."""
    data = files.pdf("text", objects=objects)

    found = kit.rows_or_refusal(data)

    assert found in ("unreadable", "decompression_limit") or len(found) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7\n", "not a whole PDF"),
        (b"%PDF-1.7\n" + b"\0" * 5_000, "not a whole PDF"),
        (files.pdf("text")[:60], "not a whole PDF"),
        (files.pdf(), "no pages"),
    ],
)
def test_what_is_no_whole_pdf_is_refused(kit, data, reason):
    refused = kit.refusal(data, "a.pdf")

    assert refused.code == "unreadable"
    assert reason in refused.detail


def test_a_page_that_unfolds_beyond_measure_is_not_read(kit):
    bomb = zlib.compress(b"BT " + b" " * 200_000_000, 9)
    data = files.pdf("text", objects={6: files.stream(bomb, b"/Filter /FlateDecode")})

    refused = kit.refusal(data)

    assert refused.code == "unreadable"
    assert "none of its 1 rows can be read" in refused.detail


def test_more_pages_and_text_than_the_limits_allow_are_refused(kit):
    data = files.pdf("one", "two", "three")

    assert "3 pages are more than 2" in kit.refusal(data, pages=2).detail
    assert "more than 6 characters" in kit.refusal(data, document_bytes=6).detail


def test_a_pdf_with_a_password_is_refused(kit, tmp_path):
    import io

    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(files.pdf("secret"))))
    writer.encrypt("a password", algorithm="AES-256")
    target = io.BytesIO()
    writer.write(target)

    assert "encrypted" in kit.refusal(target.getvalue()).detail
