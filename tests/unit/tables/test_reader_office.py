from datetime import date, datetime, time, timedelta

import pytest

from tests import files


def types(table):
    return {column.name: column.type for column in table.columns}


def test_a_word_document_is_its_title_and_text_with_tables_by_tabs(kit):
    data = files.docx("Dear all,", "", "see below", title="Memo", table=[["a", "b"], ["1", "2"]])

    assert kit.rows(data, "memo.docx") == [
        {"name": "memo.docx", "title": "Memo", "text": "Dear all,\n\nsee below\na\tb\n1\t2"}
    ]


def test_merged_cells_of_a_word_table_are_read_however_many_they_are(kit):
    data = _with_table(
        [("restart", 1, "all"), (None, 2, "wide")],
        *[[("continue", 1, ""), (None, 1, f"{n}"), (None, 1, "x")] for n in range(2_000)],
        [("continue", 1, ""), ("continue", 1_000_000_000, "")],
    )

    lines = kit.rows(data, "memo.docx")[0]["text"].split("\n")

    assert lines[:2] == ["all\twide", "all\t0\tx"]
    assert lines[-2:] == ["all\t1999\tx", "all\t1999"]
    assert len(lines) == 2_002


def _with_table(*rows):
    """Return a Word document with a table; a cell is its vertical merge, its width, its text."""
    import io
    import zipfile

    def cell(merge, width, text):
        merged = f'<w:vMerge w:val="{merge}"/>' if merge else ""
        head = f'<w:tcPr><w:gridSpan w:val="{width}"/>{merged}</w:tcPr>'
        return f"<w:tc>{head}<w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"

    made = "".join(f"<w:tr>{''.join(cell(*one) for one in row)}</w:tr>" for row in rows)
    source = zipfile.ZipFile(io.BytesIO(files.docx()))
    members = {name: source.read(name) for name in source.namelist()}
    before, mark, after = members["word/document.xml"].partition(b"<w:sectPr")
    table = f"<w:tbl><w:tblPr/><w:tblGrid/>{made}</w:tbl>".encode()
    return files.zipped(members | {"word/document.xml": before + table + mark + after})


def test_a_word_document_without_a_title_has_none(kit):
    assert kit.rows(files.docx("text"), "memo.docx")[0]["title"] is None


def test_what_is_no_whole_word_document_is_refused(kit):
    members = {"word/document.xml": b"<broken", "[Content_Types].xml": b"<Types/>"}

    refused = kit.refusal(files.zipped(members), "memo.docx")

    assert refused.code == "unreadable"
    assert "Word document" in refused.detail
    assert "docx was expected" in kit.refusal(b"just text", "memo.docx").detail


def test_a_word_document_that_unpacks_beyond_measure_is_a_bomb(kit):
    members = {"word/document.xml": b" " * 100_000_000, "[Content_Types].xml": b"<Types/>"}

    assert kit.refusal(files.zipped(members), "memo.docx").code == "decompression_limit"


def test_entities_in_a_word_document_are_not_expanded(kit):
    import io
    import zipfile

    source = zipfile.ZipFile(io.BytesIO(files.docx("PLACE")))
    members = {name: source.read(name) for name in source.namelist()}
    head, text = members["word/document.xml"].split(b"?>", 1)
    declared = b'?><!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>'
    members["word/document.xml"] = head + declared + text.replace(b"PLACE", b"[&b;]")

    found = kit.rows_or_refusal(files.zipped(members), "memo.docx")

    assert found == "unreadable" or "lol" not in found[0]["text"]


def test_a_sheet_is_a_table_with_types(kit):
    day = date(2026, 1, 31)
    moment = datetime(2026, 1, 31, 8, 30)  # noqa: DTZ001 - workbooks know no zones
    data = files.xlsx(
        People=[
            ["id", "name", "share", "member", "since", "seen", "mixed", "took"],
            [1, "Ann", 0.5, True, day, moment, 1, time(8, 30)],
            [],
            [2, "Bob", 1, False, None, day, "x", timedelta(hours=25)],
        ]
    )

    table = kit.table(data, "people.xlsx")

    assert types(table) == {
        "id": "integer", "name": "string", "share": "number", "member": "boolean", "since": "date",
        "seen": "timestamp", "mixed": "string", "took": "string",
    }  # fmt: skip
    assert kit.rows(data, "people.xlsx") == [
        {"id": 1, "name": "Ann", "share": 0.5, "member": True, "since": "2026-01-31",
         "seen": "2026-01-31T08:30:00Z", "mixed": "1", "took": "08:30:00"},
        {"id": 2, "name": "Bob", "share": 1.0, "member": False, "since": None,
         "seen": "2026-01-31T00:00:00Z", "mixed": "x", "took": "PT90000S"},
    ]  # fmt: skip
    assert table.dialect == {"sheet": "People", "other_sheets": [], "header": True}


def test_of_several_sheets_the_first_is_read_unless_another_is_named(kit):
    data = files.xlsx(One=[["a"], [1]], Two=[["b"], [2]], Three=[["c"], [3]])

    assert kit.rows(data) == [{"a": 1}]
    assert kit.table(data).dialect["other_sheets"] == ["Two", "Three"]
    assert kit.rows(data, sheet="Two") == [{"b": 2}]
    refused = kit.refusal(data, sheet="Four")
    assert refused.code == "unreadable"
    assert "no sheet 'Four', only 'One', 'Two', 'Three'" in refused.detail


def test_a_sheet_without_names_gets_some(kit):
    assert kit.rows(files.xlsx(S=[[1, 2], [3, 4]])) == [
        {"column_1": 1, "column_2": 2},
        {"column_1": 3, "column_2": 4},
    ]


def test_columns_without_name_and_value_are_none(kit):
    rows = kit.rows(files.xlsx(S=[[None, "a", None, "a"], [None, 1, None, 2], [None, 3, "", 4]]))

    assert rows == [{"a": 1, "a_2": 2}, {"a": 3, "a_2": 4}]


def test_a_sheet_of_names_alone_is_a_table_without_rows(kit):
    data = files.xlsx(S=[["a", "b"]])

    assert kit.rows(data) == []
    assert types(kit.table(data)) == {"a": "string", "b": "string"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (files.xlsx(S=[]), "unreadable"),
        (files.xlsx(S=[["a"], list(range(2_500))]), "too_many_columns"),
        (files.zipped({"xl/workbook.xml": b"<x/>"}), "unreadable"),
        (files.xlsx(S=[["a"], [1]])[:-200], "unreadable"),
        (
            files.zipped({"xl/workbook.xml": b"<x/>", "xl/big": b"\0" * 200_000_000}),
            "decompression_limit",
        ),
    ],
    ids=["empty", "wide", "hollow", "cut", "bomb"],
)
def test_a_workbook_that_cannot_be_read_is_refused(kit, data, code):
    assert kit.refusal(data, "book.xlsx").code == code


def test_office_files_of_other_kinds_are_told_by_name(kit):
    slides = files.zipped({"ppt/presentation.xml": b"<x/>"})

    assert "a presentation" in kit.refusal(slides, "slides.pptx").detail
    assert "OpenDocument" in kit.refusal(files.zipped({"mimetype": b"x"}), "a.odt").detail


def test_a_row_far_behind_every_other_is_refused_instead_of_counted_to(kit, monkeypatch):
    import io
    import zipfile

    source = zipfile.ZipFile(io.BytesIO(files.xlsx(S=[["a"], [1], [2]])))
    members = {name: source.read(name) for name in source.namelist()}
    [sheet] = [name for name in members if "worksheets/" in name]
    members[sheet] = members[sheet].replace(b'r="3"', b'r="1000000000"').replace(b"A3", b"A4")
    monkeypatch.setattr("shared.tables.readers.workbook._LAST_ROW", 1_000)

    assert kit.refusal(files.zipped(members), "book.xlsx").code == "decompression_limit"
    assert kit.rows(files.xlsx(S=[["a"], [1], [2]])) == [{"a": 1}, {"a": 2}]
