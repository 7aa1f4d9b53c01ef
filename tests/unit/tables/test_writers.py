import csv
import io
import tracemalloc

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.domain.columns import Column
from shared.tables.arrow import RowError, batch_to_rows, columns_of
from shared.tables.writers.delimited import write_csv
from shared.tables.writers.jsonl import write_jsonl
from shared.tables.writers.parquet import write_parquet

COLUMNS = (
    Column("s", "string"),
    Column("n", "number"),
    Column("b", "boolean"),
    Column("j", "json"),
)


def cells(batches, columns=COLUMNS):
    text = b"".join(write_csv(columns, batches)).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def test_each_row_is_one_line_of_json():
    rows = [{"s": "é\n", "n": None}, {"s": "x", "n": 1.5}]

    data = b"".join(write_jsonl([rows[:1], [], rows[1:]]))

    assert [orjson.loads(line) for line in data.splitlines()] == rows
    assert data.endswith(b"\n")


def test_no_rows_are_no_lines():
    assert b"".join(write_jsonl([])) == b""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_would_be_a_formula_is_neutralised(start):
    [_, row] = cells([[{"s": f"{start}cmd|' /C calc'!A0"}]])

    assert row[0] == f"'{start}cmd|' /C calc'!A0"


def test_a_formula_inside_a_json_column_or_a_header_is_neutralised_too():
    [header, row] = cells([[{"=h": "@x"}]], [Column("=h", "json")])

    assert (header, row) == (["'=h"], ["'@x"])


def test_negative_numbers_and_harmless_text_stay_as_they_are():
    [_, row] = cells([[{"s": "a=b", "n": -1.5}]])

    assert row[:2] == ["a=b", "-1.5"]


def test_csv_has_a_header_nested_json_and_empty_nulls():
    found = cells(
        [[{"s": 'say "hi",\nyou', "b": True, "j": {"a": [1]}}], [{"s": None, "b": False}]]
    )

    assert found == [
        ["s", "n", "b", "j"],
        ['say "hi",\nyou', "", "true", '{"a":[1]}'],
        ["", "", "false", ""],
    ]


def test_csv_of_no_rows_is_its_header():
    assert cells([]) == [["s", "n", "b", "j"]]


def test_parquet_keeps_values_types_and_the_json_mark():
    rows = [{"s": "é", "n": 0.5, "b": True, "j": {"a": 1}}, dict.fromkeys("snbj")]

    data = b"".join(write_parquet(COLUMNS, [rows[:1], rows[1:]]))
    table = pq.read_table(pa.py_buffer(data))

    assert columns_of(table.schema) == COLUMNS
    assert batch_to_rows(table) == rows


def test_parquet_of_no_rows_keeps_its_columns():
    data = b"".join(write_parquet(COLUMNS, []))

    assert columns_of(pq.read_schema(pa.py_buffer(data))) == COLUMNS


@pytest.mark.parametrize("batch_rows", [999, 10_000, 25_000])
def test_parquet_has_row_groups_of_at_most_ten_thousand_rows(batch_rows):
    column = [Column("i", "integer")]
    rows = [{"i": n} for n in range(25_000)]
    cut = (rows[at : at + batch_rows] for at in range(0, len(rows), batch_rows))

    file = pq.ParquetFile(pa.py_buffer(b"".join(write_parquet(column, cut))))
    groups = [
        file.metadata.row_group(index).num_rows for index in range(file.metadata.num_row_groups)
    ]

    assert sum(groups) == 25_000
    assert len(groups) == 3
    assert max(groups) <= 10_000
    assert file.read()["i"].to_pylist() == list(range(25_000))


def test_parquet_is_yielded_before_all_rows_were_taken():
    taken = []

    def batches():
        for number in range(30):
            taken.append(number)
            yield [{"i": n} for n in range(1_000)]

    first = next(write_parquet([Column("i", "integer")], batches()))

    assert first.startswith(b"PAR1")
    assert len(taken) < 15


def test_parquet_of_wide_rows_is_written_in_constant_memory():
    column = [Column("s", "string")]

    def peak(count):
        batches = ([{"s": f"{n} {m}" * 20_000} for m in range(10)] for n in range(count))
        before = pa.total_allocated_bytes()
        highest = 0
        tracemalloc.start()
        for _ in write_parquet(column, batches):
            highest = max(highest, pa.total_allocated_bytes() - before)
        _, python = tracemalloc.get_traced_memory()[0], tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest + python

    assert peak(200) < 2 * peak(50)


def test_a_row_that_does_not_fit_its_parquet_column_is_refused():
    with pytest.raises(RowError):
        list(write_parquet([Column("i", "integer")], [[{"i": "x"}]]))
