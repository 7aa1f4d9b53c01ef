"""The child process that runs one SELECT in a locked-down DuckDB (started by sql.py)."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, BufferedWriter
from typing import TYPE_CHECKING, Any

import duckdb

from shared.domain.columns import Column, ColumnType
from shared.tables.child_process import ChildFailedError
from shared.tables.child_service import serve
from shared.tables.sql_check import INVALID, NOT_ONE_SELECT, UNSUPPORTED_TYPE, check_tree
from shared.tables.sql_types import SQL_TYPES, column_type, converted, quoted

if TYPE_CHECKING:
    import pyarrow as pa

_INCOMING = "rows on their way in"  # no table can be called so
_MAX_DEPTH = 250
_SLICE_BYTES = 1 << 20
_BATCH_ROWS = 2_048
_FAILED = "sql_failed"
_TOO_LARGE = "output_too_large"


def main() -> None:
    """Do what the header asks: describe the query's columns, or run it over the streamed inputs."""
    sys.setrecursionlimit(20_000)  # for reading syntax trees of depth _MAX_DEPTH
    serve(_work)


def _work(header: dict[str, Any], stdin: BufferedReader, stdout: BufferedWriter) -> None:
    inputs = {
        name: [Column.from_json(column) for column in columns]
        for name, columns in header["inputs"].items()
    }
    connection = _connect(header)
    with _errors_are(INVALID):
        _create_tables(connection, inputs)
    if header["run"]:
        with _errors_are(_FAILED):
            _load(connection, inputs, stdin)
    _lock(connection)
    with _errors_are(INVALID):
        relation, columns = _bind(connection, header["query"], inputs)
    if header["run"]:
        with _errors_are(_FAILED):
            _run(relation, columns, header, stdout)
    else:
        stdout.write(json.dumps([column.to_json() for column in columns]).encode())


def _connect(header: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        config={
            "memory_limit": f"{header['memory_bytes']}B",
            "temp_directory": header["scratch"],
            "max_temp_directory_size": f"{header['disk_bytes']}B",
            "threads": 1,  # also what makes results the same every time
            "preserve_insertion_order": True,
            "python_enable_replacements": False,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
            "max_expression_depth": _MAX_DEPTH,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SELECT setseed(0.5)").fetchall()
    return connection


def _create_tables(connection: duckdb.DuckDBPyConnection, inputs: dict[str, list[Column]]) -> None:
    for name, columns in inputs.items():
        if not columns:
            raise ChildFailedError(INVALID, f"the input {name} has no columns")
        _refuse_twins([column.name for column in columns], f"columns of the input {name}")
        fields = ", ".join(f"{quoted(c.name)} {SQL_TYPES[c.type]}" for c in columns)
        connection.execute(f"CREATE TABLE {quoted(name)} ({fields})")


def _load(
    connection: duckdb.DuckDBPyConnection, inputs: dict[str, list[Column]], stdin: BufferedReader
) -> None:
    """Read one Arrow stream per input, in the order of the header."""
    import pyarrow as pa  # here, because describing a query needs none

    for name in inputs:
        with pa.ipc.open_stream(stdin) as reader:
            connection.register(_INCOMING, reader)
            query = f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(_INCOMING)}"  # noqa: S608
            connection.execute(query)
            connection.unregister(_INCOMING)


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _bind(
    connection: duckdb.DuckDBPyConnection, query: str, inputs: dict[str, list[Column]]
) -> tuple[duckdb.DuckDBPyRelation, list[Column]]:
    """Check the query and return it unrun, its columns converted to ours."""
    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ChildFailedError(NOT_ONE_SELECT, "the query must be exactly one SELECT")
    text = statements[0].query
    serialized = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()
    tree: dict[str, Any] = json.loads(serialized[0][0])
    if tree["error"] or len(tree["statements"]) != 1:
        detail = tree.get("error_message", "the query must be exactly one SELECT")
        raise ChildFailedError(NOT_ONE_SELECT, detail)
    check_tree(tree, list(inputs))
    relation = connection.sql(text)
    _refuse_twins(relation.columns, "columns of the result")
    columns, expressions = [], []
    for name, sql_type in zip(relation.columns, relation.types, strict=True):
        column = Column(name, _fitting(name, sql_type))
        columns.append(column)
        expressions.append(f"{converted(column, sql_type)} AS {quoted(name)}")
    return relation.project(", ".join(expressions)), columns


def _run(
    relation: duckdb.DuckDBPyRelation,
    columns: list[Column],
    header: dict[str, Any],
    stdout: BufferedWriter,
) -> None:
    """Stream the result; past the limits the child fails with `output_too_large`."""
    import pyarrow as pa

    from shared.tables.arrow import schema_of

    schema = schema_of(columns)
    rows, size = 0, 0
    with pa.ipc.new_stream(stdout, schema) as writer:
        for batch in relation.to_arrow_reader(_BATCH_ROWS):
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if rows > header["max_rows"]:
                detail = f"the result has more than {header['max_rows']} rows"
                raise ChildFailedError(_TOO_LARGE, detail)
            if size > header["max_bytes"]:
                detail = f"the result is larger than {header['max_bytes']} bytes"
                raise ChildFailedError(_TOO_LARGE, detail)
            for part in _slices(batch):
                writer.write_batch(_as_ours(part, columns, schema))


def _refuse_twins(names: Iterable[str], what: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.get(name.lower())
        if other is not None:
            both = name if other == name else f"{other} and {name}, which SQL cannot tell apart"
            raise ChildFailedError(INVALID, f"two {what} are called {both}; rename one with AS")
        seen[name.lower()] = name


def _fitting(name: str, sql_type: Any) -> ColumnType:
    fitting = column_type(sql_type)
    if fitting is None:
        detail = f"column {name} has type {sql_type}, which no table can hold; convert it with CAST"
        raise ChildFailedError(UNSUPPORTED_TYPE, detail)
    return fitting


def _slices(batch: "pa.RecordBatch") -> "Iterator[pa.RecordBatch]":
    """Cut a batch of wide rows, so that the parent holds little at a time."""
    step = max(1, batch.num_rows * _SLICE_BYTES // max(batch.nbytes, 1))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def _as_ours(
    batch: "pa.RecordBatch", columns: list[Column], schema: "pa.Schema"
) -> "pa.RecordBatch":
    import pyarrow as pa

    arrays = [
        _finite_json(array) if column.type == "json" else array.cast(field.type)
        for column, array, field in zip(columns, batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _finite_json(array: Any) -> Any:
    """Write null for NaN and Infinity, which DuckDB puts into JSON although JSON has neither."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = array.cast(pa.string())
    if not pc.any(pc.match_substring_regex(array, "NaN|Infinity")).as_py():
        return array
    return pa.array(
        [
            None if text is None else json.dumps(json.loads(text, parse_constant=lambda _: None))
            for text in array.to_pylist()
        ],
        pa.string(),
    )


@contextmanager
def _errors_are(code: str) -> Iterator[None]:
    """Give DuckDB's errors a code; want of memory is told apart by `serve`."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        told = str(error).partition("\n\nPossible solutions")[0]  # advice only an operator can take
        raise ChildFailedError("memory", told) from error
    except (duckdb.Error, RecursionError) as error:
        if "File too large" in str(error):  # the system's limit, which DuckDB takes for an accident
            raise ChildFailedError("memory", "needs more disk space than is allowed") from error
        raise ChildFailedError(code, str(error)) from error


if __name__ == "__main__":
    main()
