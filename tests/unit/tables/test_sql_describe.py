"""What `describe_select` lets through, what it calls the columns, and what it refuses."""

import pytest

from shared.domain.columns import Column
from shared.tables.sql import SqlRefused, describe_select

TICKETS = [
    Column("id", "integer"),
    Column("price", "number"),
    Column("text", "string"),
    Column("open", "boolean"),
    Column("day", "date"),
    Column("moment", "timestamp"),
    Column("tags", "json"),
]
INPUTS = {"tickets": TICKETS, "people": [Column("id", "integer"), Column("name", "string")]}

ALLOWED = [
    ("SELECT * FROM tickets", {c.name: c.type for c in TICKETS}),
    ("FROM people", {"id": "integer", "name": "string"}),
    ("select name from people; -- the end", {"name": "string"}),
    ("SELECT NAME FROM PEOPLE", {"name": "string"}),
    ("WITH a AS (SELECT id FROM people), b AS (FROM a) SELECT * FROM b", {"id": "integer"}),
    ("SELECT name FROM people JOIN tickets USING (id)", {"name": "string"}),
    ("SELECT id FROM tickets UNION ALL SELECT id FROM people", {"id": "integer"}),
    ("SELECT (SELECT max(id) FROM people) AS m", {"m": "integer"}),
    ("SELECT range AS n FROM range(3)", {"n": "integer"}),
    ("SELECT unnest(['a']) AS n", {"n": "string"}),
    ("SELECT sum(id) AS s, avg(id) AS a FROM tickets", {"s": "integer", "a": "number"}),
    ("SELECT 1.25 AS d, 1::FLOAT AS f", {"d": "number", "f": "number"}),
    ("SELECT 5::UBIGINT AS u, 5::TINYINT AS t", {"u": "integer", "t": "integer"}),
    (
        "SELECT list(id) AS l, {'a': 1} AS s, MAP {'a': 1} AS m FROM tickets",
        {"l": "json", "s": "json", "m": "json"},
    ),
    ("SELECT tags->'a' AS j, tags->>'a' AS t FROM tickets", {"j": "json", "t": "string"}),
    (
        "SELECT moment - moment AS i, moment::TIME AS t, uuid() AS u FROM tickets",
        {"i": "string", "t": "string", "u": "string"},
    ),
    ("SELECT moment::TIMESTAMP AS a, day + 1 AS d FROM tickets", {"a": "timestamp", "d": "date"}),
    ("SELECT NULL AS n", {"n": "string"}),
    (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) FROM r",
        {"n": "integer"},
    ),
    ("WITH duckdb_tables AS (SELECT 1 AS one) FROM duckdb_tables", {"one": "integer"}),
    ("SELECT 'read_csv(''/etc/passwd'')' AS text", {"text": "string"}),
]


@pytest.mark.parametrize(("query", "columns"), ALLOWED)
def test_a_select_over_declared_inputs_is_described(query: str, columns: dict[str, str]) -> None:
    assert {c.name: c.type for c in describe_select(query, INPUTS)} == columns


NOT_ONE_SELECT = [
    "",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "INSERT INTO people VALUES (1, 'x')",
    "WITH x AS (INSERT INTO people VALUES (1, 'x') RETURNING *) SELECT * FROM x",
    "CREATE TABLE x AS SELECT 1",
    "COPY people TO 'people.csv'",
    "COPY (SELECT 1) TO '/etc/motd'",
    "ATTACH 'other.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 4",
    "SET enable_external_access = true",
    "PRAGMA version",
    "CALL duckdb_settings()",
    "EXPLAIN ANALYZE SELECT 1",
    "EXPORT DATABASE 'x'",
    "SHOW TABLES",
    "SELECT * FROM (DESCRIBE people)",
    "SUMMARIZE people",
    "BEGIN",
    "CHECKPOINT",
    "PREPARE x AS SELECT 1",
]
UNKNOWN_TABLE = [
    "SELECT * FROM nowhere",
    "SELECT * FROM 'tickets.csv'",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'https://example.org/x.parquet'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM READ_BLOB('/etc/passwd')",
    "SELECT * FROM parquet_scan('x')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('people')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM pragma_version()",
    "SELECT (SELECT count(*) FROM 'x.csv')",
    "SELECT id FROM people WHERE id IN (SELECT id FROM glob('*'))",
    "SELECT * FROM (WITH x AS (SELECT 1) FROM x), x",
    "WITH a AS (FROM b), b AS (SELECT 1) FROM a",
    "SELECT * FROM other.main.people",
]
INVALID = [
    "SELEKT 1",
    "SELECT 1 INTO x",
    "SELECT missing FROM people",
    "SELECT getenv('HOME')",
    "SELECT current_setting('threads')",
    "SELECT getvariable('x')",
    "SELECT nextval('x')",
    "SELECT read_text('/etc/passwd')",
    "SELECT system.main.getvariable('x')",
    "SELECT sleep_ms(100000)",
    "SELECT ?",
    "SELECT $name",
    "SELECT id, id FROM people",
    "SELECT id, name AS ID FROM people",
    "SELECT * FROM people p JOIN people q ON p.id = q.id",
    "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "SELECT 1" + " + 1" * 5_000,
    "SELECT '" + "x" * 100_001 + "'",
]
REFUSED = [
    *(("sql_not_one_select", query) for query in NOT_ONE_SELECT),
    *(("sql_unknown_table", query) for query in UNKNOWN_TABLE),
    *(("sql_invalid", query) for query in INVALID),
    ("sql_unsupported_type", "SELECT 'a'::BLOB AS b"),
    ("sql_unsupported_type", "SELECT 1::BIGNUM AS b"),
]


@pytest.mark.parametrize(("code", "query"), REFUSED, ids=[query[:60] for _, query in REFUSED])
def test_anything_else_is_refused_with_its_code(code: str, query: str) -> None:
    with pytest.raises(SqlRefused) as refusal:
        describe_select(query, INPUTS)

    assert refusal.value.code == code
    assert refusal.value.detail


def test_a_variable_of_this_process_is_no_table() -> None:
    local = [{"secret": 1}]
    assert local

    with pytest.raises(SqlRefused, match="no input called local"):
        describe_select("SELECT * FROM local", INPUTS)


def test_two_output_columns_of_one_name_are_named_in_the_refusal() -> None:
    with pytest.raises(SqlRefused, match=r"two columns of the result are called id; .* AS"):
        describe_select("SELECT p.id, t.id FROM people p, tickets t", INPUTS)


def test_an_unknown_table_is_answered_with_those_there_are() -> None:
    with pytest.raises(SqlRefused, match="the inputs are: tickets, people"):
        describe_select("FROM ticket", INPUTS)


def test_a_query_that_blows_up_while_it_is_read_is_refused() -> None:
    # Each WITH doubles the one before: the query is short, what it stands for is not.
    steps = ["c0 AS (FROM people a, people b)"]
    steps += [f"c{n} AS (SELECT * FROM c{n - 1} a, c{n - 1} b)" for n in range(1, 60)]  # noqa: S608

    with pytest.raises(SqlRefused, match="too complex") as refusal:
        describe_select(f"WITH {', '.join(steps)} FROM c59", INPUTS)

    assert refusal.value.code == "sql_invalid"


def test_inputs_whose_columns_sql_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(SqlRefused, match="cannot tell apart"):
        describe_select("SELECT 1", {"t": [Column("Name", "string"), Column("name", "string")]})


def test_names_with_quotes_and_spaces_stay_names() -> None:
    columns = [Column('a "b" c', "string"), Column("select", "integer")]

    assert describe_select('FROM "my table"', {"my table": columns}) == tuple(columns)
