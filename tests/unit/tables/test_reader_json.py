import io

import orjson
import pytest

from shared.tables.arrow import batch_to_rows
from shared.tables.child_process import ChildFailedError
from shared.tables.readers.batches import cut_batches
from shared.tables.readers.json_elements import BrokenArrayError, array_elements
from shared.tables.readers.json_rows import read_json, read_ndjson
from shared.tables.readers.records import ReadLimits
from shared.tables.readers.source import Source


class Found:
    def __init__(self, table):
        self.rows = [row for batch in cut_batches(table) for row in batch_to_rows(batch)]
        self.types = {column.name: column.type for column in table.columns}
        self.missed = [(row.line, row.reason) for row in table.tally.samples]
        self.lines = [line for line, _ in self.missed]


@pytest.fixture
def read(tmp_path):
    def read(data, reader=read_json, **limits):
        path = tmp_path / "file"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return Found(reader(Source(path, "file.json", "json", ReadLimits(**limits))))

    return read


def refusal(read, data, reader=read_json, **limits):
    with pytest.raises(ChildFailedError) as refused:
        read(data, reader, **limits)
    return refused.value


def test_an_array_of_objects_is_a_table(read):
    found = read('\n[{"a": 1, "b": {"c": [1]}},\n {"a": 2.5, "d": "x"}]\n')

    assert found.types == {"a": "number", "b": "json", "d": "string"}
    assert found.rows == [
        {"a": 1.0, "b": {"c": [1]}, "d": None},
        {"a": 2.5, "b": None, "d": "x"},
    ]


def test_one_object_is_a_table_of_one_row(read):
    assert read('\ufeff{"a": 1,\n "b": null}').rows == [{"a": 1, "b": None}]


@pytest.mark.parametrize("reader", [read_json, read_ndjson])
def test_objects_line_by_line_are_a_table(read, reader):
    found = read('{"a": 1}\r\n\n{"a": 2}', reader)

    assert found.rows == [{"a": 1}, {"a": 2}]


def test_bad_lines_are_reported_and_the_others_kept(read):
    lines = [
        '{"a": 1}',
        '{"a": ',
        "[1]",
        '{"a": NaN}',
        '{"a": 123456789012345678901234567890}',
        '{"a": "\\ud800"}',
        '{"a": "\\u0000"}',
        '{"a": ' * 200 + "1" + "}" * 200,
        "[" * 100_000,
        "nonsense",
        '{"a": 9223372036854775807}',
    ]

    found = read("\n".join(lines), read_ndjson)

    assert found.rows == [{"a": 1}, {"a": 2**63 - 1}]
    assert found.lines == list(range(2, 11))
    assert "must be an object" in found.missed[1][1]
    assert "/a" in found.missed[3][1]
    assert "64" in found.missed[3][1]


def test_a_line_that_is_not_utf_8_is_reported(read):
    found = read(b'{"a": "\xc3\xa9"}\n{"a": "\xff"}\n', read_ndjson)

    assert (found.rows, found.lines) == ([{"a": "é"}], [2])


def test_a_line_past_the_limit_is_reported(read):
    found = read('{"a": "%s"}\n{"a": 1}' % ("x" * 2_000), read_ndjson, row_bytes=1_000)

    assert (found.rows, found.lines) == ([{"a": 1}], [1])


def test_bad_elements_are_reported_by_number(read):
    found = read('[{"a": 1}, 7, {"a": %s}, {"a": NaN}, {"a": 2}, ]' % ("9" * 400))

    assert found.rows == [{"a": 1}, {"a": 2}]
    assert found.lines == [2, 3, 4, 6]


def test_integers_of_many_digits_inside_text_do_no_harm(read):
    row = {"a": "9" * 400, "b": 0.1234567890123456789, "c": 1234567890123456789}

    assert read(orjson.dumps([row])).rows == [row]


def test_an_empty_array_is_an_empty_table(read):
    found = read(" [ ] ")

    assert (found.rows, found.types) == ([], {})


@pytest.mark.parametrize(
    "data",
    [
        "",
        "   ",
        "7",
        '"text"',
        "[1, 2]",
        "[{}]",
        '[{"a": 1}, {"a":',
        '[{"a": 1}',
        '[{"a": 1}, {"a": "x',
        '[{"a": 1}] and more',
        '[{"a": [}]}]',
        '[{"a": 1}}]',
        '{"a": 1',
        "[" * 100_000,
        '{"a": ' * 200 + "1" + "}" * 200,
    ],
)
def test_what_is_no_array_of_objects_is_refused(read, data):
    assert refusal(read, data).code == "unreadable"


def test_too_many_columns_over_all_rows_are_refused(read):
    rows = [{f"c{n}": n} for n in range(2_001)]

    assert refusal(read, orjson.dumps(rows)).code == "too_many_columns"
    assert len(read(orjson.dumps(rows[:2_000])).types) == 2_000


def test_an_object_past_the_limit_is_refused(read):
    assert refusal(read, '{"a": "%s"}' % ("x" * 2_000), document_bytes=1_000).code == "unreadable"


def test_an_element_past_the_limit_is_refused(read):
    data = '[{"a": "%s"}]' % ("x" * 2_000_000)

    assert refusal(read, data, row_bytes=1_000_000).code == "unreadable"


AWKWARD = [
    {"plain": 1, "text": 'quote " brace } bracket ] comma , backslash \\'},
    {"nested": {"a": [{"b": []}, "]"], "c": {}}, "end": "\\"},
    {},
    [1, [2]],
    "just, text",
    None,
    -1.5,
]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50, 10_000])
def test_elements_are_cut_alike_wherever_a_read_ends(step):
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(step)

    data = orjson.dumps(AWKWARD, option=orjson.OPT_INDENT_2)

    elements = [orjson.loads(element) for element in array_elements(Slow(data), 1_000)]

    assert elements == AWKWARD


def test_an_array_that_breaks_off_names_the_element():
    with pytest.raises(BrokenArrayError, match="element 3"):
        list(array_elements(io.BytesIO(b'[1, 2, {"a": 1'), 1_000))
