"""What `run_select` returns, and how it ends when a query is hostile, endless or too large."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch
from shared.tables.sql import SqlFailed, SqlInput, SqlLimits, SqlRefused, run_select

NUMBERS = [Column("n", "integer"), Column("text", "string")]
EVERY_TYPE = [
    Column("i", "integer"),
    Column("x", "number"),
    Column("s", "string"),
    Column("b", "boolean"),
    Column("d", "date"),
    Column("t", "timestamp"),
    Column("j", "json"),
]
LIMITS = SqlLimits(wall_s=60)


def test_every_type_comes_back_as_it_went_in(tmp_path: Path) -> None:
    rows = [
        {"i": -(2**63), "x": 0.1, "s": 'ü"\n', "b": True, "d": "0001-01-01",
         "t": "9999-12-31T23:59:59.999999Z", "j": {"a": [1, None, "x"]}},
        {"i": 2**63 - 1, "x": -1e300, "s": "", "b": False, "d": "2024-02-29",
         "t": "1969-12-31T23:59:59Z", "j": "text"},
        dict.fromkeys("ixsbdtj"),
    ]  # fmt: skip

    assert _run("SELECT * FROM t", {"t": table(EVERY_TYPE, rows)}, tmp_path) == rows


def test_rows_keep_the_order_of_the_input_without_order_by(tmp_path: Path) -> None:
    found = _run("SELECT n FROM t WHERE n % 3 = 0", {"t": numbers(20_000)}, tmp_path)

    assert found == [{"n": n} for n in range(0, 20_000, 3)]


def test_several_inputs_are_joined(tmp_path: Path) -> None:
    names = table([Column("id", "integer"), Column("name", "string")], [{"id": 3, "name": "c"}])
    query = "SELECT t.text, names.name FROM t JOIN names ON names.id = t.n"

    assert _run(query, {"t": numbers(5), "names": names}, tmp_path) == [
        {"text": "row 3", "name": "c"}
    ]


def test_an_empty_input_gives_what_sql_gives_for_it(tmp_path: Path) -> None:
    empty = {"t": SqlInput(NUMBERS, iter(()))}

    assert _run("SELECT * FROM t", empty, tmp_path) == []
    empty = {"t": SqlInput(NUMBERS, iter(()))}
    assert _run("SELECT count(*) AS n, sum(n) AS s FROM t", empty, tmp_path) == [
        {"n": 0, "s": None}
    ]


def test_types_of_sql_become_types_of_json(tmp_path: Path) -> None:
    query = """
        SELECT sum(n) AS total, 1.50 AS price, [n, NULL] AS pair, {'a': n} AS thing,
               MAP {'k': n} AS m, TIME '10:00' AS clock, INTERVAL 3 DAY AS span,
               DATE '2024-01-31' AS day, TIMESTAMP '2024-01-31 10:00:00' AS moment,
               n / 0 AS endless, 'NaN'::DOUBLE AS nan, ['NaN'::DOUBLE, 1] AS nested,
               json('{"a": [1, "NaN"]}') AS given, NULL AS nothing
        FROM t WHERE n = 1 GROUP BY n
    """

    assert _run(query, {"t": numbers(3)}, tmp_path) == [
        {
            "total": 1, "price": 1.5, "pair": [1, None], "thing": {"a": 1}, "m": {"k": 1},
            "clock": "10:00:00", "span": "3 days", "day": "2024-01-31",
            "moment": "2024-01-31T10:00:00Z", "endless": None, "nan": None,
            "nested": [None, 1.0], "given": {"a": [1, "NaN"]}, "nothing": None,
        }
    ]  # fmt: skip


def test_a_query_gives_the_same_answer_each_time(tmp_path: Path) -> None:
    query = "SELECT random() AS r, text, list(n) AS l FROM t GROUP BY text, r"

    first = _run(query, {"t": numbers(5_000)}, tmp_path)

    assert _run(query, {"t": numbers(5_000)}, tmp_path) == first


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("SELECT sum(9223372036854775807) AS s FROM t", "out of range"),
        ("SELECT CAST(text AS INTEGER) AS i FROM t", "Could not convert"),
        ("SELECT DATE '0044-03-15 (BC)' AS d FROM t", "years 1 to 9999"),
        ("SELECT 'infinity'::TIMESTAMP AS d FROM t", "years 1 to 9999"),
    ],
)
def test_a_value_that_does_not_fit_fails_the_query(query: str, detail: str, tmp_path: Path) -> None:
    with pytest.raises(SqlFailed, match=detail) as failure:
        _run(query, {"t": numbers(2)}, tmp_path)

    assert failure.value.code == "sql_failed"


@pytest.mark.parametrize(
    ("code", "query"),
    [
        ("sql_unknown_table", "SELECT * FROM read_text('/etc/passwd')"),
        ("sql_unknown_table", "SELECT * FROM '/etc/passwd'"),
        ("sql_not_one_select", "COPY t TO 'out.csv'"),
        ("sql_not_one_select", "ATTACH 'x.db'"),
        ("sql_invalid", "SELECT nowhere FROM t"),
    ],
)
def test_a_query_that_was_not_checked_before_is_checked_here(
    code: str, query: str, tmp_path: Path
) -> None:
    with pytest.raises(SqlRefused) as refusal:
        _run(query, {"t": numbers(2)}, tmp_path)

    assert refusal.value.code == code


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) AS n FROM range(1000000) a, range(1000000) b WHERE a.range <> b.range",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT sum(n) AS s FROM r",
    ],
)
def test_an_endless_query_is_ended(query: str, tmp_path: Path) -> None:
    with pytest.raises(SqlFailed) as failure:
        _run(query, {"t": numbers(2)}, tmp_path, SqlLimits(wall_s=1.5))

    assert failure.value.code == "sql_timeout"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT repeat('x', 2000000000) AS x",
        "SELECT length(string_agg(a.range::VARCHAR)) AS n FROM range(100000) a, range(10000) b",
        "SELECT len(list(a.range)) AS n FROM range(100000) a, range(10000) b",
        "SELECT a.range AS n FROM range(1000000) a, range(1000000) b ORDER BY a.range + b.range",
    ],
)
def test_a_query_that_wants_too_much_memory_fails(query: str, tmp_path: Path) -> None:
    limits = SqlLimits(memory_bytes=64 << 20, wall_s=60, disk_bytes=64 << 20)

    with pytest.raises(SqlFailed) as failure:
        _run(query, {"t": numbers(2)}, tmp_path, limits)

    assert failure.value.code == "sql_memory"


def test_a_result_of_a_million_million_rows_is_cut_off(tmp_path: Path) -> None:
    query = "SELECT a.range AS n FROM range(1000000) a, range(1000000) b"
    limits = SqlLimits(wall_s=60, max_rows=10_000)

    with pytest.raises(SqlFailed, match="more than 10000 rows") as failure:
        _run(query, {"t": numbers(2)}, tmp_path, limits)

    assert failure.value.code == "output_too_large"


def test_a_result_of_too_many_bytes_is_cut_off(tmp_path: Path) -> None:
    limits = SqlLimits(wall_s=60, max_bytes=100_000)

    with pytest.raises(SqlFailed, match="larger than 100000 bytes") as failure:
        _run("SELECT repeat(text, 1000) AS t FROM t", {"t": numbers(200)}, tmp_path, limits)

    assert failure.value.code == "output_too_large"


def test_more_rows_than_memory_are_counted_by_spilling(tmp_path: Path) -> None:
    def wide() -> Iterator[pa.RecordBatch]:
        for start in range(0, 40_000, 500):
            rows = [{"n": n, "text": f"{n} " * 300} for n in range(start, start + 500)]
            yield rows_to_batch(rows, NUMBERS)

    limits = SqlLimits(memory_bytes=32 << 20, wall_s=120)
    query = "SELECT count(*) AS n, sum(length(text)) AS size FROM t"

    found = _run(query, {"t": SqlInput(NUMBERS, wide())}, tmp_path, limits)

    assert found == [{"n": 40_000, "size": sum(len(f"{n} ") * 300 for n in range(40_000))}]


def test_another_thread_can_cancel_a_query(tmp_path: Path) -> None:
    cancelled = threading.Event()

    def batches() -> Iterator[pa.RecordBatch]:
        yield from numbers(3).batches
        cancelled.set()

    query = "SELECT count(*) AS n FROM range(1000000) a, range(1000000) b, t"
    running = run_select(query, {"t": SqlInput(NUMBERS, batches())}, LIMITS, tmp_path, cancelled)

    with pytest.raises(SqlFailed) as failure:
        list(running)

    assert failure.value.code == "sql_cancelled"
    assert _leftovers(tmp_path) == []


def test_an_error_of_the_source_of_rows_comes_through(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from numbers(3).batches
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError, match="went away"):
        _run("SELECT * FROM t", {"t": SqlInput(NUMBERS, broken())}, tmp_path)


def test_a_reader_that_stops_early_leaves_no_child_behind(tmp_path: Path) -> None:
    rows = run_select("SELECT * FROM t", {"t": numbers(50_000)}, LIMITS, tmp_path)
    next(rows)

    rows.close()  # type: ignore[attr-defined]

    assert _leftovers(tmp_path) == []


def numbers(count: int) -> SqlInput:
    return table(NUMBERS, [{"n": n, "text": f"row {n}"} for n in range(count)])


def table(columns: Sequence[Column], rows: list[dict[str, Any]]) -> SqlInput:
    starts = range(0, len(rows), 1_000)
    return SqlInput(columns, (rows_to_batch(rows[n : n + 1_000], columns) for n in starts))


def _run(
    query: str, inputs: dict[str, SqlInput], workdir: Path, limits: SqlLimits = LIMITS
) -> list[dict[str, Any]]:
    try:
        return [row for rows in run_select(query, inputs, limits, workdir) for row in rows]
    finally:
        assert _leftovers(workdir) == []


def _leftovers(workdir: Path) -> list[Any]:
    children = [child for child in psutil.Process().children() if "sql_child" in _command(child)]
    return [*workdir.iterdir(), *children]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
