import struct
import zipfile

import pytest

from shared.tables.arrow import batch_to_rows
from shared.tables.readers.batches import cut_batches
from tests import files


def read(kit, members, **options):
    table = kit.table(files.zipped(members), "a.zip", **options)
    rows = [row for batch in cut_batches(table) for row in batch_to_rows(batch)]
    return rows, [sample.reason for sample in table.tally.samples]


def test_a_single_member_is_read_as_if_it_came_alone(kit):
    assert read(kit, {"deep/in/people.csv": b"a,b\n1,x\n"}) == ([{"a": 1, "b": "x"}], [])
    assert read(kit, {"p.pdf": files.pdf("text")})[0][0]["pages"] == 1


def test_what_systems_leave_behind_is_not_a_member(kit):
    members = {"__MACOSX/._a.csv": b"\0\5", ".DS_Store": b"\0", "a.csv": b"n\n1\n", "d/": b""}

    assert read(kit, members) == ([{"n": 1}], [])


def test_tables_are_joined_and_each_row_says_where_it_comes_from(kit):
    rows, reasons = read(
        kit,
        {
            "jan.csv": b"id,sum\n1,2\n",
            "feb.json": b'[{"id": 2, "sum": 2.5, "note": "x"}]',
            "mar.ndjson": b'{"id": "three"}\nbroken\n',
            "notes.txt": b"not a table",
        },
    )

    assert rows == [
        {"member": "jan.csv", "id": "1", "sum": 2.0, "note": None},
        {"member": "feb.json", "id": "2", "sum": 2.5, "note": "x"},
        {"member": "mar.ndjson", "id": "three", "sum": None, "note": None},
    ]
    assert reasons[0] == "notes.txt: file (txt) among tables"
    assert reasons[1].startswith("mar.ndjson: not valid JSON")


def test_documents_are_a_row_each_whatever_their_formats(kit):
    rows, reasons = read(
        kit,
        {
            "a.txt": b"plain",
            "b.docx": files.docx("word"),
            "c.pdf": files.pdf("page", title="C"),
            "d.xml": b"<d><p>marked</p></d>",
            "e.csv": b"a\n1\n",
            "f.zip": files.zipped({"g.txt": b"x"}),
            "h.bin": b"\x7fELF\2\1\1",
        },
    )

    assert rows == [
        {"name": "a.txt", "title": None, "text": "plain"},
        {"name": "b.docx", "title": None, "text": "word"},
        {"name": "c.pdf", "title": "C", "text": "page"},
        {"name": "d.xml", "title": None, "text": "marked"},
    ]
    assert reasons == [
        "e.csv: tabular file (csv) among documents",
        "f.zip: an archive within an archive",
        "h.bin: this is an ELF program, not a table, a document or an image",
    ]


def test_images_are_a_row_each(kit):
    rows, reasons = read(
        kit, {"1.png": files.image(), "2.jpg": files.image("jpeg"), "readme.txt": b"x"}
    )

    assert [(row["name"], row["mime"]) for row in rows] == [
        ("1.png", "image/png"),
        ("2.jpg", "image/jpeg"),
    ]
    assert reasons == ["readme.txt: file (txt) among images"]


def test_names_of_members_are_never_paths(kit, tmp_path):
    members = {"../../escaped.txt": b"one", "/etc/escaped.txt": b"two", "c:\\x.txt": b"three"}

    rows, _ = read(kit, members)

    assert [row["text"] for row in rows] == ["one", "two", "three"]
    assert rows[0]["name"] == "../../escaped.txt"
    assert not list(tmp_path.parent.rglob("escaped*"))


def lying(data, size):
    """Claim another unpacked size for the only member, in both of its heads."""
    patched = bytearray(data)
    central = data.index(b"PK\x01\x02")
    struct.pack_into("<I", patched, 22, size)
    struct.pack_into("<I", patched, central + 24, size)
    return bytes(patched)


ZEROS = b"\0" * 100_000_000


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (files.zipped({"a.txt": ZEROS}), "decompression_limit", "unpacks to more than"),
        (files.overlapping_zip(), "decompression_limit", "members overlap"),
        (lying(files.zipped({"a.txt": ZEROS}), 1_000), "unreadable", "does not unpack"),
        (files.zipped({"a.txt": b"x" * 9}, zipfile.ZIP_BZIP2), "unreadable", "by method 12"),
        (files.zipped({}), "unreadable", "holds no files"),
        (files.zipped({"a.zip": files.zipped({"b": b"x"})}), "unreadable", "within an archive"),
        (b"PK\x03\x04" + b"\0" * 600, "unreadable", "not a whole archive"),
        (files.zipped({"a.txt": b"x" * 5_000})[:-40], "unreadable", "not a whole archive"),
        (files.zipped({"a.txt": b"\x7fELF\2\1\1"}), "unreadable", "an ELF program"),
    ],
    ids=["bomb", "overlap", "liar", "bzip2", "empty", "nested", "no-table", "cut", "elf"],
)
def test_archives_that_are_broken_or_hostile_are_refused(kit, data, code, reason):
    refused = kit.refusal(data, "a.zip")

    assert refused.code == code
    assert reason in refused.detail


def test_members_with_a_password_are_refused(kit):
    data = bytearray(files.zipped({"a.txt": b"x"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1

    assert "encrypted" in kit.refusal(bytes(data), "a.zip").detail


def test_more_members_than_allowed_are_a_bomb(kit):
    data = files.zipped({f"{n}.txt": b"" for n in range(30)})

    assert kit.refusal(data, "a.zip", archive_members=20).code == "decompression_limit"


def test_the_columns_of_all_members_together_keep_the_limit(kit):
    members = {f"{n}.csv": f"a{n},b{n}\n1,2\n".encode() for n in range(3)}

    assert kit.refusal(files.zipped(members), "a.zip", max_columns=5).code == "too_many_columns"
    assert len(kit.rows(files.zipped(members), "a.zip", max_columns=6)) == 3
