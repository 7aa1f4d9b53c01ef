import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.domain.columns import Column
from shared.tables.arrow import batch_to_rows
from shared.tables.reading import ReadLimits, Unreadable, UnreadableRow, read_file, read_folder
from tests import files
from tests.own_children import own_children


@pytest.fixture
def path(tmp_path):
    return tmp_path / "upload"


def children():
    return own_children()


def read_all(path, **arguments):
    with read_file(path, **arguments) as reading:
        return list(reading.batches())


def refusal(path, **arguments):
    with pytest.raises(Unreadable) as refused:
        read_all(path, **arguments)
    return refused.value


def test_a_file_is_read_in_a_child_that_is_gone_afterwards(path):
    path.write_text("id,name\n1,Ann\nbroken\n2,Bob\n")

    with read_file(path, name="people.csv") as reading:
        assert len(children()) == 1
        assert reading.columns == (Column("id", "integer"), Column("name", "string"))
        rows = [row for batch in reading.batches() for row in batch_to_rows(batch)]

    assert rows == [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}]
    assert children() == []
    assert (reading.report.format, reading.report.charset) == ("csv", "utf-8")
    assert (reading.report.rows, reading.report.unreadable) == (2, 1)
    assert reading.report.samples == (UnreadableRow(3, "1 fields instead of 2"),)
    assert reading.report.dialect == {"delimiter": ",", "escape": None, "header": True}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b'[{"a": 1}]'),
        ("a.ndjson", b'{"a": 1}'),
        ("a.txt", b"text"),
        ("a.html", b"<p>text"),
        ("a.xml", b"<d><p>text</p></d>"),
        ("a.pdf", files.pdf("text")),
        ("a.docx", files.docx("text")),
        ("a.xlsx", files.xlsx(S=[["a"], [1]])),
        ("a.zip", files.zipped({"b.csv": b"a\n1\n"})),
        ("a.image", files.image("webp")),
    ],
)
def test_every_format_is_reached_by_its_name(path, name, data):
    path.write_bytes(data)

    with read_file(path, name=name) as reading:
        assert sum(batch.num_rows for batch in reading.batches()) == 1

    assert reading.report.format == name.removeprefix("a.")


def test_a_sheet_can_be_named(path):
    path.write_bytes(files.xlsx(One=[["a"], [1]], Two=[["b"], [2]]))

    with read_file(path, name="book", sheet="Two") as reading:
        assert [column.name for column in reading.columns] == ["b"]
    path.write_text("a\n1\n")
    assert "only a workbook has sheets" in refusal(path, name="a.csv", sheet="Two").detail


def test_what_is_unpacked_is_gone_with_the_reading_even_when_it_is_killed(path):
    # given an archive of several megabytes, its reading not yet at its end
    path.write_bytes(files.zipped({f"{n}.txt": b"words " * 500_000 for n in range(3)}))
    before = set(Path(tempfile.gettempdir()).glob("apwa-read-*"))

    reading = read_file(path, name="a.zip")
    [folder] = set(Path(tempfile.gettempdir()).glob("apwa-read-*")) - before
    assert len(list((folder / "scratch").iterdir())) == 3
    reading.close()

    assert not folder.exists()
    assert children() == []


def test_memory_is_bounded_for_documents_too(path):
    path.write_bytes(files.xlsx(S=[["a"], *[[f"text number {n}" * 5] for n in range(50_000)]]))

    refused = refusal(path, name="a.xlsx", limits=ReadLimits(memory_bytes=60 << 20))

    assert refused.code in {"read_memory", "unreadable"}


def test_a_folder_is_read_by_either_door(tmp_path):
    (tmp_path / "a.txt").write_text("text")

    for open_folder in (read_folder, lambda path: read_file(path, name="docs")):
        with open_folder(tmp_path) as reading:
            [batch] = reading.batches()
        assert batch_to_rows(batch) == [{"name": "a.txt", "title": None, "text": "text"}]
        assert reading.report.format == "folder"


def test_batches_are_small_enough_to_be_chunks(path):
    path.write_text("id,text\n" + "".join(f"{n},{'ö' * 300}\n" for n in range(20_000)))

    with read_file(path, name="a.csv") as reading:
        batches = list(reading.batches())

    assert sum(batch.num_rows for batch in batches) == 20_000
    assert max(batch.nbytes for batch in batches) <= 1 << 20


def test_a_table_without_rows_still_has_columns(path):
    path.write_text("a,b\n")

    with read_file(path, name="a.csv") as reading:
        assert [column.name for column in reading.columns] == ["a", "b"]
        assert list(reading.batches()) == []
        assert reading.report.rows == 0


def test_there_is_no_report_before_the_end(path):
    path.write_text("a,b\n1,2\n")

    with read_file(path, name="a.csv") as reading, pytest.raises(RuntimeError):
        _ = reading.report


@pytest.mark.parametrize(
    ("data", "declared", "code"),
    [
        (b"", None, "unreadable"),
        (b"\x7fELF\2\1\1", None, "unreadable"),
        (b"PK\x03\x04", None, "unreadable"),
        (b"PAR1 cut off", "parquet", "unreadable"),
        (b"[", "json", "unreadable"),
        (b"a", "xml", "unreadable"),
        (b"c," * 10_000, None, "too_many_columns"),
    ],
)
def test_a_refusal_has_its_code_and_leaves_no_child(path, data, declared, code):
    path.write_bytes(data)

    assert refusal(path, name="a.csv", format=declared).code == code
    assert children() == []


def test_a_file_that_breaks_in_the_middle_is_refused_after_its_first_batches(path):
    table = pa.table({"x": [os.urandom(20).hex() for _ in range(60_000)]})
    pq.write_table(table, path, use_dictionary=False, row_group_size=20_000, compression="none")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff" * 50_000 + data[len(data) // 2 + 50_000 :])
    taken = 0

    with read_file(path, name="a.parquet") as reading, pytest.raises(Unreadable) as refused:  # noqa: PT012
        for batch in reading.batches():
            taken += batch.num_rows

    assert refused.value.code == "unreadable"
    assert 0 < taken < 60_000


def test_a_bomb_is_a_decompression_limit(path):
    pq.write_table(pa.table({"x": pa.array(["x" * 1_000]).take(pa.array([0] * 50_000))}), path)
    limits = ReadLimits(decoded_bytes=10_000_000)

    assert refusal(path, name="a.parquet", limits=limits).code == "decompression_limit"


def test_a_parser_that_waits_for_ever_is_killed(path):
    os.mkfifo(path)  # opening it blocks until somebody writes

    refused = refusal(path, name="a.csv", limits=ReadLimits(wall_s=0.5))

    assert refused.code == "read_timeout"
    assert children() == []


def test_a_parser_that_works_too_long_is_killed(path):
    path.write_text("id,text\n" + "1,some text\n" * 2_000_000)

    refused = refusal(path, name="a.csv", limits=ReadLimits(wall_s=0.5))

    assert refused.code == "read_timeout"
    assert children() == []


def test_a_parser_that_wants_too_much_memory_is_stopped(path):
    pq.write_table(pa.table({"x": ["x" * 200_000_000]}), path)

    refused = refusal(path, name="a.parquet", limits=ReadLimits(memory_bytes=150 << 20))

    assert refused.code == "read_memory"
    assert children() == []


def test_closing_early_kills_the_child(path):
    path.write_text("id,text\n" + "1,some text\n" * 300_000)

    with read_file(path, name="a.csv") as reading:
        next(reading.batches())
        [child] = children()

    assert not child.is_running()


WAIT = """
import sys
from pathlib import Path
import psutil
from shared.tables.reading import read_file

with read_file(Path(sys.argv[1]), name="a.csv"):
    print(psutil.Process().children()[0].pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_child_dies_with_its_parent(path):
    path.write_text("id,text\n" + "1,some text\n" * 300_000)  # more than the pipe takes
    with subprocess.Popen(
        [sys.executable, "-c", WAIT, str(path)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        child = os.pidfd_open(int(parent.stdout.readline()))
        still_runs, _, _ = select.select([child], [], [], 0)

        parent.kill()
        ended, _, _ = select.select([child], [], [], 10)

    os.close(child)
    assert (still_runs, ended) == ([], [child])


def test_a_missing_file_is_an_os_error(path):
    with pytest.raises(FileNotFoundError):
        read_file(path, name="a.csv")
    with pytest.raises(NotADirectoryError):
        read_folder(path)


def test_a_name_can_hold_anything(path):
    path.write_text("x")

    with read_file(path, name="../\0\ud800\n.txt") as reading:
        [batch] = reading.batches()

    assert batch_to_rows(batch)[0]["text"] == "x"


MEASURE = """
import re, sys
from pathlib import Path
import psutil
from shared.tables.reading import read_file

def peak_kb(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    found = re.search(r"VmHWM:\\s+(\\d+)", status)
    return int(found.group(1)) if found else 0

rows = peak = 0
with read_file(Path(sys.argv[1]), name="a.csv") as reading:
    [child] = psutil.Process().children()
    for batch in reading.batches():
        rows += batch.num_rows
        peak = max(peak, peak_kb(child.pid))
print(rows, peak, peak_kb("self"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_ten_times_the_rows_take_no_more_memory_in_child_or_parent(path):
    def peaks(count):
        with path.open("w") as file:
            file.write("id,text,score\n")
            file.writelines(f"{n},some text of row {n},{n / 8}\n" for n in range(count))
        ended = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path)],
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        )
        rows, child_kb, parent_kb = map(int, ended.stdout.split())
        assert rows == count
        return child_kb, parent_kb

    small_child, small_parent = peaks(20_000)
    large_child, large_parent = peaks(200_000)

    assert 0 < large_child < 1.2 * small_child
    assert large_parent < 1.2 * small_parent
