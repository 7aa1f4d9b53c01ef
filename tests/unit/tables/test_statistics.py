import orjson
import pytest

from shared.domain.columns import Column
from shared.tables.arrow import rows_to_batch
from shared.tables.sample import SampleRows
from shared.tables.statistics import TableStatistics

COLUMNS = (
    Column("i", "integer"),
    Column("s", "string"),
    Column("n", "number"),
    Column("b", "boolean"),
    Column("d", "date"),
    Column("t", "timestamp"),
    Column("j", "json"),
)


def batches(rows, columns=COLUMNS, size=1_000):
    return [rows_to_batch(rows[at : at + size], columns) for at in range(0, len(rows), size)]


def statistics(rows, columns=COLUMNS, size=1_000):
    gathered = TableStatistics()
    for batch in batches(rows, columns, size):
        gathered.add(batch)
    return gathered.result()


def test_each_column_is_described():
    rows = [
        {"i": 3, "s": "bb", "n": 0.5, "b": True, "d": "2024-01-02", "j": [1, 2]},
        {"i": -1, "s": "a", "n": 2.5, "b": True, "t": "2024-01-01T00:00:00Z", "j": {"k": 1}},
        {"i": 3, "s": "cccccc", "n": None},
    ]

    found = statistics(rows)

    assert found["i"] == {
        "nulls": 0, "distinct": 2, "distinct_exact": True, "min": -1, "max": 3,
        "mean": pytest.approx(5 / 3), "mean_length": None, "max_length": None, "p95_length": None,
    }  # fmt: skip
    assert found["s"] == {
        "nulls": 0, "distinct": 3, "distinct_exact": True, "min": "a", "max": "cccccc",
        "mean": None, "mean_length": 3.0, "max_length": 6, "p95_length": 6,
    }  # fmt: skip
    assert (found["n"]["nulls"], found["n"]["mean"]) == (1, 1.5)
    assert (found["b"]["min"], found["b"]["max"], found["b"]["distinct"]) == (True, True, 1)
    assert (found["d"]["min"], found["d"]["nulls"]) == ("2024-01-02", 2)
    assert found["t"]["max"] == "2024-01-01T00:00:00Z"
    assert (found["j"]["min"], found["j"]["max_length"], found["j"]["distinct"]) == (None, 7, 2)


def test_statistics_are_ready_for_json():
    orjson.dumps(statistics([{"i": 1, "d": "2024-01-01", "t": "2024-01-01T00:00:00Z", "n": 1e308}]))


def test_ten_thousand_distinct_values_are_counted_exactly():
    found = statistics([{"i": n, "s": f"v{n % 10_000}"} for n in range(20_000)])

    assert (found["s"]["distinct"], found["s"]["distinct_exact"]) == (10_000, True)


@pytest.mark.parametrize("column", ["i", "s", "n"])
def test_more_distinct_values_are_estimated_closely_and_marked(column):
    found = statistics([{"i": n, "s": f"v{n}", "n": n / 7} for n in range(50_000)], size=10_000)

    assert found[column]["distinct_exact"] is False
    assert found[column]["distinct"] == pytest.approx(50_000, rel=0.05)


def test_bounds_of_text_are_clipped():
    found = statistics([{"s": "a" * 500}, {"s": "é" * 500}])

    assert (found["s"]["min"], found["s"]["max"]) == ("a" * 64, "é" * 64)


def test_lengths_count_characters_not_bytes():
    assert statistics([{"s": "éé"}])["s"]["max_length"] == 2


def test_the_95th_length_is_drawn_evenly_from_all_batches():
    found = statistics([{"s": "x" * (n // 100)} for n in range(20_000)])

    assert found["s"]["p95_length"] == pytest.approx(190, abs=6)


def test_an_empty_table_and_an_all_null_column_have_no_bounds():
    gathered = TableStatistics()
    gathered.add(rows_to_batch([], COLUMNS))
    empty = gathered.result()
    nulls = statistics([{}, {}])

    assert (empty["i"]["min"], empty["i"]["nulls"], gathered.rows) == (None, 0, 0)
    assert (nulls["s"]["min"], nulls["s"]["nulls"], nulls["s"]["mean_length"]) == (None, 2, None)


def test_the_same_table_always_has_the_same_statistics():
    rows = [{"i": n * 7919, "s": f"{n}" * (n % 50)} for n in range(30_000)]

    assert statistics(rows) == statistics(rows)


def sample(rows, n=20, clip=400, size=1_000, columns=COLUMNS):
    drawn = SampleRows(n, clip)
    for batch in batches(rows, columns, size):
        drawn.add(batch)
    return drawn.result()


def test_a_small_table_is_its_own_sample():
    rows = [{"i": n} for n in range(7)]

    assert [row["i"] for row in sample(rows, size=3)] == list(range(7))


def test_a_sample_holds_the_first_rows_and_others_in_order():
    found = sample([{"i": n} for n in range(20_000)])
    numbers = [row["_row"] for row in found]

    assert numbers[:5] == [0, 1, 2, 3, 4]
    assert len(numbers) == 20
    assert numbers == sorted(set(numbers))
    assert all(row["i"] == row["_row"] for row in found)


def test_a_sample_is_drawn_from_the_whole_table():
    drawn = [row["_row"] for row in sample([{"i": n} for n in range(20_000)], n=205)][5:]

    assert sum(number < 10_000 for number in drawn) == pytest.approx(100, abs=35)
    assert max(drawn) > 18_000


def test_long_values_are_clipped():
    [row] = sample([{"s": "x" * 1_000, "j": ["y" * 1_000], "i": 10**18}], clip=50)

    assert (len(row["s"]), len(row["j"]), row["i"]) == (50, 50, 10**18)


def test_a_sample_may_be_smaller_than_its_head():
    assert [row["_row"] for row in sample([{"i": n} for n in range(100)], n=3)] == [0, 1, 2]
