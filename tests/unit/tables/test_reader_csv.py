import pytest

from shared.tables.arrow import batch_to_rows
from shared.tables.child_process import ChildFailedError
from shared.tables.readers.batches import cut_batches
from shared.tables.readers.csv_dialect import unique_names
from shared.tables.readers.delimited import read_csv
from shared.tables.readers.records import ReadLimits
from shared.tables.readers.source import Source


class Found:
    def __init__(self, table):
        self.rows = [row for batch in cut_batches(table) for row in batch_to_rows(batch)]
        self.types = {column.name: column.type for column in table.columns}
        self.missed = [(row.line, row.reason) for row in table.tally.samples]
        self.lines = [line for line, _ in self.missed]
        self.unreadable = table.tally.unreadable
        self.charset = table.charset
        self.dialect = table.dialect


@pytest.fixture
def read(tmp_path):
    def read(data, **limits):
        path = tmp_path / "file"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return Found(read_csv(Source(path, "file.csv", "csv", ReadLimits(**limits))))

    return read


def refusal(read, data, **limits):
    with pytest.raises(ChildFailedError) as refused:
        read(data, **limits)
    return refused.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(read, delimiter):
    found = read("id,name,note\n1,Ann,x\n2,Bob,y\n".replace(",", delimiter))

    assert found.rows == [
        {"id": 1, "name": "Ann", "note": "x"},
        {"id": 2, "name": "Bob", "note": "y"},
    ]
    assert found.dialect["delimiter"] == delimiter


def test_decimal_commas_do_not_hide_a_semicolon(read):
    assert read("a;b\n1,5;2,5\n3,5;4,5\n").rows[0] == {"a": "1,5", "b": "2,5"}


def test_commas_in_quoted_text_do_not_hide_a_tab(read):
    assert read('a\tb\n"x, y"\t1\n"z, w"\t2\n').rows[1] == {"a": "z, w", "b": 2}


def test_a_file_of_one_column_is_read(read):
    assert read("name\nAnn\nBob\n").rows == [{"name": "Ann"}, {"name": "Bob"}]


def test_a_quoted_newline_stays_in_its_row(read):
    found = read('a,b\n"one\ntwo",1\r\n"three\r\nfour",2\n')

    assert found.rows == [{"a": "one\ntwo", "b": 1}, {"a": "three\r\nfour", "b": 2}]


def test_doubled_and_escaped_quotes_are_understood(read):
    assert read('a,b\n1,"say ""hi"""\n').rows == [{"a": 1, "b": 'say "hi"'}]
    assert read('a,b\n1,"say \\"hi\\", you"\n2,x\n').rows[0] == {"a": 1, "b": 'say "hi", you'}


def test_a_space_behind_the_delimiter_may_precede_a_quote(read):
    assert read('a, b\n1, "x, y"\n2, "z"\n').rows == [{"a": 1, "b": "x, y"}, {"a": 2, "b": "z"}]


def test_lines_may_end_in_carriage_returns_alone(read):
    assert read("a,b\r1,2\r3,4\r").rows == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_the_last_line_needs_no_end_and_blank_lines_are_no_rows(read):
    found = read("a,b\n\n1,2\n\n\n3,4")

    assert (len(found.rows), found.unreadable) == (2, 0)


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_read_with_and_without_its_mark(read, charset):
    assert read("näme,b\nÄnn,1\nBob,2\n".encode(charset)).rows[0] == {"näme": "Änn", "b": 1}


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("cp1252", "Jürgen Groß, Málaga"),
        ("cp1251", "Иван Петров, Москва"),
        ("cp932", "山田太郎は東京"),
    ],
)
def test_other_charsets_are_told_by_what_reads_like_text(read, charset, name):
    rows = "".join(f'{n},"{name}"\n' for n in range(20))

    found = read(f"id,name\n{rows}".encode(charset))

    assert found.rows[7] == {"id": 7, "name": name}
    assert found.charset == charset


def test_a_charset_is_found_although_the_file_begins_in_ascii(read):
    found = read(
        ("a,b\n" + "1,plain text of some length to fill the file more quickly\n" * 20_000).encode()
        + "2,Café für Zoë\n".encode("cp1252")
    )

    assert found.rows[-1] == {"a": 2, "b": "Café für Zoë"}


def test_a_line_in_another_charset_is_reported_and_the_rest_kept(read):
    found = read("a,b\n1,é\n2,ü\n".encode() + b"3,\xff\n" + "4,ö\n".encode())

    assert [row["a"] for row in found.rows] == [1, 2, 4]
    assert found.missed == [(4, "bytes that are not utf-8")]


def test_a_wrong_number_of_fields_is_reported_with_line_and_reason(read):
    found = read('a,b\n1,2\n3\n"x\ny",4\n5,6,7\n8,9\n')

    assert [row["b"] for row in found.rows] == [2, 4, 9]
    assert found.missed == [(3, "1 fields instead of 2"), (6, "3 fields instead of 2")]


def test_a_nul_character_costs_its_row_only(read):
    found = read("a,b\n1,x\0y\n2,z\n")

    assert found.rows == [{"a": 2, "b": "z"}]
    assert found.missed == [(2, "a NUL character")]


def test_a_stray_quote_costs_its_line_and_not_the_rest(read):
    lines = [f"{n},text {n}" for n in range(1, 1_001)]
    lines[499] = '500,"never closed'

    found = read("\n".join(["id,text", *lines]))

    assert len(found.rows) == 999
    assert found.lines == [501]


def test_a_stray_quote_that_another_quote_closes_costs_its_line_too(read):
    found = read('a,b\n1,"open\n2,x\n3,"fine"\n4,y\n')

    assert [row["a"] for row in found.rows] == [2, 3, 4]
    assert found.lines == [2]


def test_lines_of_another_dialect_are_reported(read):
    found = read("a,b,c\n1,2,3\n4;5;6\n7,8,9\n")

    assert ([row["a"] for row in found.rows], found.lines) == ([1, 7], [3])


def test_every_broken_line_is_counted_and_a_hundred_are_told(read):
    found = read("a,b\n1,2\n" + "broken\n" * 250)

    assert (len(found.rows), found.unreadable, len(found.missed)) == (1, 250, 100)
    assert found.lines[-1] == 102


def test_a_line_past_the_limit_is_reported_and_the_rest_kept(read):
    found = read("a,b\n1," + "x" * 5_000 + "\n2,y\n", row_bytes=1_000)

    assert (found.rows, found.lines) == ([{"a": 2, "b": "y"}], [2])


def test_a_quoted_row_past_the_limit_is_reported_and_the_rest_kept(read):
    found = read('a,b\n1,"' + "x\n" * 5_000 + "2,y\n", row_bytes=1_000)

    assert found.rows == [{"a": 2, "b": "y"}]
    assert found.unreadable == 5_000


@pytest.mark.parametrize("data", ["1,2\n3,4\n", "2024-01-01,x\n2024-01-02,y\n", "yes,a\nyes,b\n"])
def test_without_a_header_columns_are_numbered(read, data):
    found = read(data)

    assert list(found.types) == ["column_1", "column_2"]
    assert len(found.rows) == 2
    assert found.dialect["header"] is False


def test_a_header_of_text_over_text_is_taken_for_one(read):
    assert list(read("name,city\nAnn,Rome\nBob,Oslo\n").types) == ["name", "city"]


def test_a_header_alone_is_a_table_without_rows(read):
    found = read("a,b\n")

    assert (found.rows, found.types) == ([], {"a": "string", "b": "string"})


def test_doubled_and_empty_names_are_made_unique(read):
    found = read("a, a ,,a_2,a\nv,w,x,y,z\nq,r,s,t,u\n")

    assert list(found.types) == ["a", "a_3", "column_3", "a_2", "a_4"]
    assert list(found.rows[0].values()) == ["v", "w", "x", "y", "z"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0", "-1", "9223372036854775807"], "integer"),
        (["1", "9223372036854775808"], "string"),
        (["1", "007"], "string"),
        (["1", "+1"], "string"),
        (["1", "-0"], "string"),
        (["1", " 2"], "string"),
        (["1_000", "2_000"], "string"),
        (["1", "1e5"], "string"),
        (["1.5", "1E5"], "string"),
        (["1.50", "-0.25", "3"], "number"),
        (["1e-05", "2.5e+10"], "number"),
        (["1.5", "1.0e+999"], "string"),
        (["1.5", "9007199254740993"], "string"),
        (["1.5", "NaN"], "string"),
        ([".5", "1."], "string"),
        (["١", "٢"], "string"),
        (["true", "FALSE"], "boolean"),
        (["true", "yes"], "string"),
        (["0", "true"], "string"),
        (["2024-02-29", "1999-12-31"], "date"),
        (["2024-02-29", "2023-02-29"], "string"),
        (["2024-01-01T00:00:00Z", "2024-01-01 00:00:00.5+01:00"], "timestamp"),
        (["2024-01-01 00:00:00", "2024-01-01T23:59:59.123456"], "timestamp"),
        (["2024-01-01 00:00:00", "2024-01-01T00:00:00Z"], "string"),
        (["2024-01-01T25:00:00Z", "2024-01-01T00:00:00Z"], "string"),
        (["2024-01-01", "2024-01-01T00:00:00Z"], "string"),
    ],
)
def test_a_type_is_taken_only_if_every_value_is_written_canonically(read, values, expected):
    rows = "".join(f"x,{value}\n" for value in ["", *values, ""])

    found = read(f"key,value\n{rows}")

    assert found.types["value"] == expected
    assert [row["value"] for row in found.rows][:: len(values) + 1] == [None, None]
    if expected == "string":
        assert [row["value"] for row in found.rows][1:-1] == values


def test_typed_values_are_exact(read):
    found = read(
        "i,n,b,d,t\n-9223372036854775808,0.1,True,2024-02-29,2024-01-01T01:30:00+02:00\n,,,,\n"
    )

    assert found.rows == [
        {
            "i": -(2**63),
            "n": 0.1,
            "b": True,
            "d": "2024-02-29",
            "t": "2023-12-31T23:30:00Z",
        },
        dict.fromkeys("inbdt"),
    ]


def test_a_late_exception_makes_the_whole_column_text(read):
    found = read("id\n" + "".join(f"{n}\n" for n in range(20_000)) + "n/a\n")

    assert (found.types["id"], found.rows[5]["id"]) == ("string", "5")


def test_names_that_are_all_alike_are_made_unique_in_good_time():
    assert unique_names(["c"] * 100_000)[-1] == "c_100000"


def test_a_column_without_values_is_text(read):
    assert read("a,b\n1,\n2,\n").types == {"a": "integer", "b": "string"}


@pytest.mark.parametrize("data", ["", "\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(read, data):
    assert refusal(read, data).code == "unreadable"


def test_a_file_with_no_readable_row_is_refused_with_its_first_reason(read):
    refused = refusal(read, "a,b\n1\n2\n")

    assert refused.code == "unreadable"
    assert "line 2: 1 fields instead of 2" in refused.detail


def test_too_many_columns_are_refused(read):
    assert refusal(read, ",".join(f"c{n}" for n in range(10_000))).code == "too_many_columns"
    assert len(read(",".join(f"c{n}" for n in range(2_000))).types) == 2_000
