import orjson
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain.columns import Column
from shared.tables.arrow import (
    RowError,
    batch_to_rows,
    check_rows,
    columns_of,
    decode_chunk,
    encode_chunk,
    infer_columns,
    rows_to_batch,
    schema_of,
)

COLUMNS = (
    Column("s", "string"),
    Column("i", "integer"),
    Column("n", "number"),
    Column("b", "boolean"),
    Column("d", "date"),
    Column("t", "timestamp"),
    Column("j", "json"),
)
FULL = {
    "s": "é",
    "i": -(2**63),
    "n": 0.5,
    "b": False,
    "d": "2024-02-29",
    "t": "2024-01-01T12:00:00Z",
    "j": {"a": [1, None, "x"]},
}
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_every_type_comes_back_as_it_went_in():
    rows = [FULL, dict.fromkeys(FULL)]

    assert batch_to_rows(rows_to_batch(rows, COLUMNS)) == rows


def test_columns_and_schema_are_each_others_inverse():
    assert columns_of(schema_of(COLUMNS)) == COLUMNS


def test_a_missing_key_is_null():
    assert batch_to_rows(rows_to_batch([{}], COLUMNS)) == [dict.fromkeys(FULL)]


def test_a_json_column_keeps_text_numbers_and_null_apart():
    rows = [{"j": "1"}, {"j": 1}, {"j": None}, {"j": [None]}]

    assert batch_to_rows(rows_to_batch(rows, [Column("j", "json")])) == rows


def test_a_whole_float_fits_an_integer_column():
    batch = rows_to_batch([{"i": 3.0}], [Column("i", "integer")])

    assert batch_to_rows(batch) == [{"i": 3}]


def test_integers_beside_numbers_become_numbers():
    batch = rows_to_batch([{"n": 1}, {"n": 2.5}, {"n": 2**60}], [Column("n", "number")])

    assert batch_to_rows(batch) == [{"n": 1.0}, {"n": 2.5}, {"n": float(2**60)}]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2024-01-01T12:00:00.5+02:00", "2024-01-01T10:00:00.500000Z"),
        ("2024-01-01T12:00:00.000001Z", "2024-01-01T12:00:00.000001Z"),
        ("2024-01-01 12:00:00", "2024-01-01T12:00:00Z"),
    ],
)
def test_timestamps_are_utc_to_the_microsecond(given, kept):
    batch = rows_to_batch([{"t": given}], [Column("t", "timestamp")])

    assert batch_to_rows(batch) == [{"t": kept}]


def test_numbers_that_are_not_finite_are_null_in_rows():
    schema = schema_of([Column("n", "number")])
    batch = pa.RecordBatch.from_arrays([pa.array([1.5, float("nan"), float("inf")])], schema=schema)

    assert [row["n"] for row in batch_to_rows(batch)] == [1.5, None, None]


@pytest.mark.parametrize(
    "bad",
    [
        {"i": True},
        {"i": 1.5},
        {"i": 2**63},
        {"i": "1"},
        {"s": 1},
        {"s": "\ud800"},
        {"n": True},
        {"n": float("nan")},
        {"n": 10**400},
        {"b": 0},
        {"d": "2023-02-30"},
        {"d": "20240101"},
        {"t": "yesterday"},
        {"t": "0001-01-01T00:00:00+10:00"},
        {"j": 2**70},
        {"j": ["\ud800"]},
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(bad):
    with pytest.raises(RowError) as refused:
        rows_to_batch([FULL, FULL, {}, bad], COLUMNS)

    assert refused.value.pointer == f"/3/{next(iter(bad))}"


def test_a_key_that_is_no_column_is_refused_rather_than_dropped():
    with pytest.raises(RowError) as refused:
        rows_to_batch([{"i": 1}, {"i": 1, "a/b~": 2}], [Column("i", "integer")])

    assert refused.value.pointer == "/1/a~1b~0"


def test_rows_of_a_table_without_columns_are_refused_rather_than_lost():
    with pytest.raises(RowError):
        rows_to_batch([{}], [])


def test_equal_rows_give_equal_chunks_however_they_are_cut():
    rows = [{"i": n, "s": None if n % 3 else f"text {n}"} for n in range(500)]
    whole = rows_to_batch(rows, COLUMNS)
    twice = pa.Table.from_batches([whole, whole])
    cut = pa.Table.from_batches([whole.slice(0, 123), whole.slice(123)])

    assert encode_chunk(cut) == encode_chunk(whole)
    assert encode_chunk(twice.slice(500)) == encode_chunk(whole)


def test_what_lies_under_a_null_does_not_change_a_chunk():
    kept = pa.RecordBatch.from_arrays(
        [pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\1"), pa.py_buffer(bytes(16))])],
        names=["i"],
    )
    dirty = pa.RecordBatch.from_arrays(
        [
            pa.Array.from_buffers(
                pa.int64(), 2, [pa.py_buffer(b"\xf1"), pa.py_buffer(bytes(8) + b"\7" * 8)]
            )
        ],
        names=["i"],
    )

    assert encode_chunk(kept) == encode_chunk(dirty)


def test_a_chunk_decodes_to_the_same_rows_and_columns():
    table = decode_chunk(encode_chunk(rows_to_batch([FULL, {}], COLUMNS)))

    assert columns_of(table.schema) == COLUMNS
    assert batch_to_rows(table) == [FULL, dict.fromkeys(FULL)]


def test_a_chunk_without_rows_keeps_its_columns():
    table = decode_chunk(encode_chunk(rows_to_batch([], COLUMNS)))

    assert (table.num_rows, columns_of(table.schema)) == (0, COLUMNS)


def test_a_chunk_is_compressed():
    batch = rows_to_batch([{"s": "the same text again " * 20}] * 2_000, [Column("s", "string")])

    assert len(encode_chunk(batch)) < batch.nbytes / 10


@pytest.mark.parametrize("data", [b"", b"no chunk", b"\xff\xff\xff\xff\x10\0\0\0"])
def test_bytes_that_are_no_chunk_are_a_value_error(data):
    with pytest.raises(ValueError, match="no chunk"):
        decode_chunk(data)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), JSON_VALUES, max_size=3), max_size=6))
def test_any_json_rows_fit_the_columns_inferred_from_them(rows):
    check_rows(rows)
    columns = infer_columns(rows)
    assume(columns or not rows)
    names = [column.name for column in columns]

    back = batch_to_rows(rows_to_batch(rows, columns))

    assert back == [{name: row.get(name) for name in names} for row in rows]
    orjson.dumps(back)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None], "integer"),
        ([1, 2.5], "number"),
        ([2**60, 2.5], "json"),
        ([True, None], "boolean"),
        ([True, 1], "json"),
        (["a"], "string"),
        (["a", 1], "json"),
        ([[1]], "json"),
        ([{"a": 1}, None], "json"),
        ([None, None], "string"),
    ],
)
def test_the_type_of_a_column_holds_all_its_values(values, expected):
    assert infer_columns({"x": value} for value in values) == (Column("x", expected),)


def test_columns_are_joined_in_order_of_first_appearance():
    columns = infer_columns([{"b": 1}, {"a": 1, "b": 2}, {"c": None}])

    assert [column.name for column in columns] == ["b", "a", "c"]


def nested(depth):
    value = 1
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    ("rows", "pointer"),
    [
        ({"a": 1}, "/inputs"),
        ([{"a": 1}, [1]], "/inputs/1"),
        ([None], "/inputs/0"),
        ([{"a": 10**400}], "/inputs/0/a"),
        ([{"a": -(2**63) - 1}], "/inputs/0/a"),
        ([{}, {}, {}, {"name": "x\ud800"}], "/inputs/3/name"),
        ([{"a": [1, {"b/c": "\0"}]}], "/inputs/0/a/1/b~1c"),
        ([{"a": float("nan")}], "/inputs/0/a"),
        ([{"a": [float("-inf")]}], "/inputs/0/a/0"),
        ([{"k\0": 1}], "/inputs/0/k\0"),
        ([{"a": {"k\ud800": 1}}], "/inputs/0/a/k\ufffd"),
        ([nested(200)], "/inputs/0" + "/x" * 64),
        ([{"a": {1, 2}}], "/inputs/0/a"),
    ],
)
def test_rows_no_table_can_keep_are_refused_with_their_place(rows, pointer):
    with pytest.raises(RowError) as refused:
        check_rows(rows, "/inputs")

    assert refused.value.pointer == pointer


def test_rows_at_the_limits_pass():
    check_rows([{"a": 2**63 - 1, "b": -(2**63), "": "\U0001f600\n", "c": nested(63)}, {}])
    check_rows([])
