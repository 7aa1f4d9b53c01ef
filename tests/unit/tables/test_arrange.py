"""Groups number by first appearance, their rows are sorted, and memory stays bounded."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.columns import Column
from shared.tables.arrange import ArrangeFailed, ArrangeLimits, arrange
from shared.tables.arrow import schema_of

COLUMNS = [
    Column("word", "string"),
    Column("whole", "integer"),
    Column("real", "number"),
    Column("flag", "boolean"),
    Column("data", "json"),
]
ROW = st.fixed_dictionaries(
    {
        "word": st.none() | st.sampled_from(["", "a", "A", "aa", "ä", "\U0001f600", "\uffff", "z"]),
        "whole": st.none() | st.integers(-2, 2) | st.sampled_from([-(2**63), 2**63 - 1]),
        "real": st.none() | st.sampled_from([0.0, -0.0, 1.5, math.inf, -math.inf, math.nan]),
        "flag": st.none() | st.booleans(),
        "data": st.none() | st.sampled_from(["{}", '{"a":1}', "[1]"]),
    }
)
NAMES = st.lists(st.sampled_from([column.name for column in COLUMNS]), unique=True, max_size=3)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(ROW, max_size=60), group_by=NAMES, order_by=NAMES, cut=st.integers(1, 40))
def test_it_arranges_as_a_plain_sort_does(
    rows: list[dict[str, Any]], group_by: list[str], order_by: list[str], cut: int, tmp_path: Path
) -> None:
    found = _rows(arrange(_batches(rows, cut), COLUMNS, group_by, order_by, workdir=tmp_path))

    assert _comparable(found) == _comparable(_arranged_by_hand(rows, group_by, order_by))
    assert list(tmp_path.iterdir()) == []


def test_groups_number_by_first_appearance_and_null_is_one_of_them() -> None:
    rows = [_row(word=word) for word in ["b", None, "a", "b", None, "a"]]

    found = _rows(arrange(_batches(rows), COLUMNS, ["word"], []))

    assert [(row["_unit"], row["word"], row["_row"]) for row in found] == [
        (0, "b", 0), (0, "b", 3), (1, None, 1), (1, None, 4), (2, "a", 2), (2, "a", 5),
    ]  # fmt: skip


def test_nan_is_a_group_and_comes_after_numbers_and_before_null() -> None:
    rows = [_row(real=real) for real in [math.nan, None, 1.0, math.nan]]

    grouped = _rows(arrange(_batches(rows), COLUMNS, ["real"], []))
    ordered = _rows(arrange(_batches(rows), COLUMNS, [], ["real"]))

    assert [row["_unit"] for row in grouped] == [0, 0, 1, 2]
    assert [row["_row"] for row in ordered] == [2, 0, 3, 1]


def test_without_groups_the_whole_table_is_one_unit() -> None:
    found = _rows(arrange(_batches([_row(), _row()]), COLUMNS, [], []))

    assert [(row["_unit"], row["_row"]) for row in found] == [(0, 0), (0, 1)]


def test_an_empty_table_gives_no_batch() -> None:
    assert list(arrange(iter(()), COLUMNS, ["word"], ["whole"])) == []


def test_the_fields_keep_their_metadata() -> None:
    (batch,) = arrange(_batches([_row(data="{}")]), COLUMNS, ["word"], [])

    expected = schema_of(COLUMNS)
    expected = expected.append(pa.field("_unit", pa.int64())).append(pa.field("_row", pa.int64()))
    assert batch.schema.equals(expected, check_metadata=True)


def test_batches_stay_under_a_megabyte_even_when_rows_differ_in_size() -> None:
    sizes = [10, 400_000, 10, 600_000, 10, 10, 900_000] * 3
    rows = [_row(word=str(n % 2), data=f'"{"x" * size}"') for n, size in enumerate(sizes)]

    batches = list(arrange(_batches(rows, 3), COLUMNS, ["word"], []))

    assert max(batch.nbytes for batch in batches) <= 1 << 20
    assert sum(batch.num_rows for batch in batches) == len(rows)


def test_a_row_larger_than_a_batch_comes_alone() -> None:
    rows = [_row(data='"small"'), _row(data=f'"{"x" * 3_000_000}"'), _row(data='"small"')]

    batches = list(arrange(_batches(rows), COLUMNS, [], []))

    assert [batch.num_rows for batch in batches] == [1, 1, 1]


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no such column: colour"):
        arrange(iter(()), COLUMNS, ["colour"], [])


def test_an_arrangement_is_not_arranged_again() -> None:
    with pytest.raises(ValueError, match="_unit"):
        arrange(iter(()), [Column("_unit", "integer")], [], [])


def test_an_error_of_the_source_comes_through_and_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from _batches([_row()])
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError, match="went away"):
        list(arrange(broken(), COLUMNS, ["word"], [], workdir=tmp_path))

    assert list(tmp_path.iterdir()) == []
    assert _child() is None


def test_it_fails_in_time(tmp_path: Path) -> None:
    def endless() -> Iterator[pa.RecordBatch]:
        while True:
            yield from _batches([_row(word="x" * 1_000)] * 1_000)

    with pytest.raises(ArrangeFailed) as failure:
        list(arrange(endless(), COLUMNS, [], [], ArrangeLimits(wall_s=1), workdir=tmp_path))

    assert failure.value.code == "arrange_timeout"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_memory_stays_bounded_over_300_000_wide_rows(tmp_path: Path) -> None:
    columns = [Column("g", "integer"), Column("text", "string")]
    child_kb, own_kb = [], []
    before = _anonymous_kb(os.getpid())
    count, last = 0, (0, -1)

    for batch in arrange(_wide(300_000, columns), columns, ["g"], [], workdir=tmp_path):
        child = _child()
        child_kb.append(_anonymous_kb(child) if child else 0)
        own_kb.append(_anonymous_kb(os.getpid()))
        pairs = list(zip(*(batch.column(n).to_pylist() for n in ("_unit", "_row")), strict=True))
        assert pairs == sorted(pairs)
        assert pairs[0] > last
        count, last = count + len(pairs), pairs[-1]

    assert count == 300_000
    assert last == (49_999, 299_999)
    # The rows are 300 MB.
    assert max(child_kb) < 200_000
    assert max(own_kb) - before < 60_000


def _wide(count: int, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    schema = schema_of(columns)
    for start in range(0, count, 1_000):
        numbers = range(start, start + 1_000)
        arrays = [
            pa.array([n % 50_000 for n in numbers], pa.int64()),
            pa.array([f"{n:1000d}" for n in numbers]),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _row(**values: Any) -> dict[str, Any]:
    return dict.fromkeys([column.name for column in COLUMNS]) | values


def _batches(rows: list[dict[str, Any]], cut: int = 1_000) -> Iterator[pa.RecordBatch]:
    schema = schema_of(COLUMNS)
    for start in range(0, len(rows), cut):
        yield pa.RecordBatch.from_pylist(rows[start : start + cut], schema=schema)


def _rows(batches: Iterator[pa.RecordBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]


def _arranged_by_hand(
    rows: list[dict[str, Any]], group_by: list[str], order_by: list[str]
) -> list[dict[str, Any]]:
    units: dict[tuple[Any, ...], int] = {}
    numbered = []
    for number, row in enumerate(rows):
        key = tuple(_rank(row[name]) for name in group_by)
        numbered.append(row | {"_unit": units.setdefault(key, len(units)), "_row": number})
    return sorted(
        numbered,
        key=lambda row: (row["_unit"], [_rank(row[name]) for name in order_by], row["_row"]),
    )


def _rank(value: Any) -> tuple[Any, ...]:
    """Return something comparable and hashable: values, then NaN, then null."""
    if value is None:
        return (2,)
    if isinstance(value, float) and math.isnan(value):
        return (1,)
    return (0, value)


def _comparable(rows: list[dict[str, Any]]) -> list[str]:
    # As text, because NaN is not equal to itself.
    return [repr(sorted(row.items())) for row in rows]


def _child() -> int | None:
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it may end while we look
            if "shared.tables.arrange_child" in child.cmdline():
                return child.pid
    return None


def _anonymous_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0
