import os

import pytest

from shared.tables.arrow import batch_to_rows
from shared.tables.child_process import ChildFailedError
from shared.tables.readers.batches import cut_batches
from shared.tables.readers.documents import read_html, read_txt
from shared.tables.readers.folder import read_folder
from shared.tables.readers.records import ReadLimits
from shared.tables.readers.source import Source


def rows_of(table):
    return [row for batch in cut_batches(table) for row in batch_to_rows(batch)]


@pytest.fixture
def read(tmp_path):
    def read(reader, data, **limits):
        path = tmp_path / "file"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        [row] = rows_of(reader(Source(path, "my file", "txt", ReadLimits(**limits))))
        return row

    return read


def refusal(act, *arguments, **limits):
    with pytest.raises(ChildFailedError) as refused:
        act(*arguments, **limits)
    return refused.value


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_is_one_row(read, charset):
    row = read(read_txt, "Grüße aus Köln,\r\nschöne Füße\rEnde".encode(charset))

    assert row == {"text": "Grüße aus Köln,\nschöne Füße\nEnde", "name": "my file"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"one\ntwo \0", "line 2: a NUL character"),
        ("éàü\nöß\n".encode() + b"\xff", "line 3 is not utf-8"),
        (b"x" * 2_000, "more than 1000 bytes"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused_with_its_place(read, data, reason):
    refused = refusal(read, read_txt, data, document_bytes=1_000)

    assert refused.code == "unreadable"
    assert reason in refused.detail


PAGE = """<html><head><title>A  day &amp; a
night</title><script>var hidden = 1</script></head><body>
<nav><a href="/">Home</a><a href="/more">More links here</a></nav>
<article><h1>The report</h1>
<p>This is the first paragraph of the report, and it is long enough to be the main text.</p>
<p>This is the second paragraph, which says a little more about the very same matter.</p>
</article><footer>Copyright notice</footer></body></html>"""


def test_a_page_is_its_title_and_main_text(read):
    row = read(read_html, PAGE)

    assert (row["name"], row["title"]) == ("my file", "A day & a night")
    assert "first paragraph" in row["text"]
    assert "second paragraph" in row["text"]
    assert "hidden" not in row["text"]
    assert "More links" not in row["text"]


def test_a_page_of_little_text_keeps_it_all(read):
    row = read(read_html, "<script>x</script><p>Tiny")

    assert (row["title"], row["text"]) == (None, "Tiny")


def test_a_page_may_name_its_charset(read):
    page = '<meta charset="windows-1251"><title>Отчёт</title><p>Привет, мир'

    assert read(read_html, page.encode("cp1251"))["title"] == "Отчёт"


def test_entities_of_a_page_are_not_unfolded(read):
    levels = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' if n else '<!ENTITY e0 "boom">' for n in range(12)
    )

    row = read(read_html, f"<!DOCTYPE html [{levels}]><html><body><p>&e11; calm</p></body></html>")

    assert "boom" not in row["text"]
    assert "calm" in row["text"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    return folder


def read_all(folder, **limits):
    table = read_folder(Source(folder, "folder", "folder", ReadLimits(**limits)))
    return rows_of(table), table.tally


def test_a_folder_has_one_row_for_each_document(folder):
    (folder / "b.txt").write_text("plain")
    (folder / "a.html").write_text(PAGE)
    (folder / "sub" / "c").write_text("no suffix")

    rows, tally = read_all(folder)

    assert [(row["name"], row["title"]) for row in rows] == [
        ("a.html", "A day & a night"),
        ("b.txt", None),
        ("sub/c", None),
    ]
    assert rows[1]["text"] == "plain"
    assert tally.unreadable == 0


def test_what_is_no_document_is_reported_by_name(folder):
    (folder / "a.txt").write_text("fine")
    (folder / "data.csv").write_text("a,b\n1,2\n")
    (folder / "data.parquet").write_bytes(b"PAR1")
    (folder / "empty.txt").write_text("")
    (folder / "program.txt").write_bytes(b"\x7fELF\2\1\1")
    (folder / "rows.json").write_text("[]")

    rows, tally = read_all(folder)

    assert [row["name"] for row in rows] == ["a.txt"]
    assert tally.unreadable == 5
    assert [row.line for row in tally.samples] == [2, 3, 4, 5, 6]
    assert tally.samples[0].reason == "data.csv: tabular file (csv) among documents"
    assert tally.samples[2].reason == "empty.txt: the file is empty"


def test_links_and_pipes_are_not_followed(folder, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "a.txt").write_text("fine")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "sub" / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.txt")

    rows, tally = read_all(folder)

    assert [row["text"] for row in rows] == ["fine"]
    assert tally.unreadable == 3


def test_a_folder_without_a_readable_document_is_refused(folder):
    assert refusal(read_all, folder).code == "unreadable"

    (folder / "data.csv").write_text("a\n")

    assert "data.csv" in refusal(read_all, folder).detail


def test_a_large_folder_comes_in_bounded_batches(folder):
    for number in range(40):
        (folder / f"{number:02}.txt").write_text("x" * 100_000)
    table = read_folder(Source(folder, "folder", "folder", ReadLimits()))

    batches = list(cut_batches(table))

    assert sum(batch.num_rows for batch in batches) == 40
    assert max(batch.nbytes for batch in batches) <= 1 << 20
