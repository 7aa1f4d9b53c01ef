import datetime as dt
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.domain.columns import Column
from shared.tables.arrow import batch_to_rows
from shared.tables.child_process import ChildFailedError
from shared.tables.readers.batches import cut_batches
from shared.tables.readers.parquet import read_parquet
from shared.tables.readers.records import ReadLimits
from shared.tables.readers.source import Source
from shared.tables.writers.parquet import write_parquet


class Found:
    def __init__(self, table):
        self.batches = list(cut_batches(table))
        self.rows = [row for batch in self.batches for row in batch_to_rows(batch)]
        self.columns = table.columns
        self.types = {column.name: column.type for column in table.columns}
        self.missed = [(row.line, row.reason) for row in table.tally.samples]


@pytest.fixture
def read(tmp_path):
    def read(data, **limits):
        path = tmp_path / "file"
        if isinstance(data, pa.Table):
            data = parquet(data)
        path.write_bytes(data)
        return Found(read_parquet(Source(path, "file.parquet", "parquet", ReadLimits(**limits))))

    return read


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def refusal(read, data, **limits):
    with pytest.raises(ChildFailedError) as refused:
        read(data, **limits)
    return refused.value


STRUCT = {"a": b"x", "d": dt.date(2020, 1, 1), "n": Decimal("1.0"), "t": dt.time(1, 2)}


@pytest.mark.parametrize(
    ("array", "column_type", "value"),
    [
        (pa.array([1], pa.int8()), "integer", 1),
        (pa.array([2**32 - 1], pa.uint32()), "integer", 2**32 - 1),
        (pa.array([2**63 - 1], pa.uint64()), "integer", 2**63 - 1),
        (pa.array([2**63], pa.uint64()), "string", "9223372036854775808"),
        (pa.array([0.5], pa.float32()), "number", 0.5),
        (pa.array([1.5], pa.float16()), "number", 1.5),
        (pa.array([float("nan")]), "number", None),
        (pa.array([True]), "boolean", True),
        (pa.array([Decimal("-1.50")]), "string", "-1.50"),
        (pa.array([dt.date(2024, 2, 29)]), "date", "2024-02-29"),
        (pa.array([86_400_000], pa.date64()), "date", "1970-01-02"),
        (pa.array([2**31 - 1], pa.date32()), "string", "2147483647 days since 1970"),
        (pa.array([1], pa.timestamp("ms")), "timestamp", "1970-01-01T00:00:00.001000Z"),
        (pa.array([0], pa.timestamp("s", "Asia/Tokyo")), "timestamp", "1970-01-01T00:00:00Z"),
        (pa.array([2_000], pa.timestamp("ns")), "timestamp", "1970-01-01T00:00:00.000002Z"),
        (pa.array([1], pa.timestamp("ns", "UTC")), "string", "1970-01-01T00:00:00.000000001Z"),
        (pa.array([10**16], pa.timestamp("ms")), "string", "10000000000000000 ms since 1970"),
        (pa.array([dt.time(1, 2, 3)]), "string", "01:02:03.000000"),
        (pa.array([dt.timedelta(days=1, microseconds=3)]), "string", "PT86400.000003S"),
        (pa.array([-1_500], pa.duration("ms")), "string", "-PT1.5S"),
        (pa.array([b"\xff\0"]), "string", "/wA="),
        (pa.array([b"ab"], pa.binary(2)), "string", "YWI="),
        (pa.array(["x"], pa.large_string()), "string", "x"),
        (pa.array(["x"]).dictionary_encode(), "string", "x"),
        (pa.array([7]).dictionary_encode(), "integer", 7),
        (pa.nulls(1), "string", None),
        (pa.array([[1, None]]), "json", [1, None]),
        (pa.array([STRUCT]), "json", {"a": "eA==", "d": "2020-01-01", "n": "1.0", "t": "01:02:00"}),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "json", {"k": 1}),
        (
            pa.array([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int64())),
            "json",
            [["k", 1], ["k", 2]],
        ),
        (pa.array([[float("nan")]]), "json", [None]),
    ],
    ids=str,
)
def test_each_type_finds_its_nearest_column(read, array, column_type, value):
    found = read(pa.table({"x": array}))

    assert found.types == {"x": column_type}
    assert found.rows == [{"x": value}]


def test_what_we_wrote_comes_back_with_its_types(read):
    columns = tuple(
        Column(kind, kind)
        for kind in ("string", "integer", "number", "boolean", "date", "timestamp", "json")
    )
    row = {
        "string": "x",
        "integer": 1,
        "number": 0.5,
        "boolean": False,
        "date": "2024-01-01",
        "timestamp": "2024-01-01T00:00:00Z",
        "json": {"a": [1]},
    }

    found = read(b"".join(write_parquet(columns, [[row, dict.fromkeys(row)]])))

    assert found.columns == columns
    assert found.rows == [row, dict.fromkeys(row)]


def test_text_falsely_marked_as_json_stays_text(read):
    schema = pa.schema([pa.field("x", pa.string(), metadata={"apwa.type": "json"})])

    found = read(pa.table({"x": ["{}", "no json"]}, schema=schema))

    assert (found.types, found.rows[1]) == ({"x": "string"}, {"x": "no json"})


def test_doubled_and_dotted_names_are_kept_apart(read):
    big = pa.array([2**63], pa.uint64())
    table = pa.table([big, pa.array([1]), big, pa.array([{"b": 1}])], names=["x", "x", "a.b", "a"])

    assert read(table).rows == [
        {"x": str(2**63), "x_2": 1, "a.b": str(2**63), "a": {"b": 1}},
    ]


def test_rows_with_text_that_is_no_text_are_reported(read):
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")]
    )
    table = pa.table({"x": pa.concat_arrays([broken, pa.array(["nul\0", "é"])])})

    found = read(table)

    assert [row["x"] for row in found.rows] == ["a", "é"]
    assert found.missed == [(2, "text that is not UTF-8"), (3, "a NUL character")]


def test_nested_values_no_table_can_keep_are_reported(read):
    found = read(pa.table({"x": pa.array([["ok"], ["nul\0"]])}))

    assert (found.rows, [line for line, _ in found.missed]) == ([{"x": ["ok"]}], [2])


def test_a_huge_row_group_comes_in_small_batches(read):
    table = pa.table({"n": range(120_000), "s": [f"some text {n}" for n in range(120_000)]})

    found = read(parquet(table, row_group_size=120_000))

    assert [row["n"] for row in found.rows] == list(range(120_000))
    assert max(batch.num_rows for batch in found.batches) <= 10_000
    assert max(batch.nbytes for batch in found.batches) <= 1 << 20


@pytest.mark.parametrize("cut", [4, 50, 1_000, -1, -8, -200])
def test_a_truncated_file_is_refused(read, cut):
    whole = parquet(pa.table({"x": [f"text {n}" for n in range(2_000)]}))

    assert refusal(read, whole[:cut]).code == "unreadable"


def test_a_file_with_broken_pages_is_refused(read):
    whole = parquet(pa.table({"x": [f"text {n}" for n in range(2_000)]}))

    assert refusal(read, whole[:60] + b"\0" * 300 + whole[360:]).code == "unreadable"


def test_a_bomb_is_refused(read):
    bomb = parquet(pa.table({"x": pa.array(["x" * 1_000]).take(pa.array([0] * 50_000))}))

    assert len(bomb) < 100_000
    assert refusal(read, bomb, decoded_bytes=10_000_000).code == "decompression_limit"


def test_too_many_columns_are_refused(read):
    table = pa.table({f"c{n}": [1] for n in range(2_001)})

    assert refusal(read, table).code == "too_many_columns"


def test_a_file_without_rows_is_an_empty_table(read):
    found = read(pa.table({"x": pa.array([], pa.int64())}))

    assert (found.rows, found.types) == ([], {"x": "integer"})
