"""The child process that sorts a table by groups (started by arrange.py).

Whole rows are written to a file and never sorted: DuckDB sorts only the keys with the row numbers,
spilling where they are many, and the rows are then picked from the file in that order.
"""

from bisect import bisect_right
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from shared.tables.arrange import ROW, UNIT
from shared.tables.child_process import ChildFailedError
from shared.tables.child_service import serve

_OUTPUT_BYTES = 1 << 20
_KEY_ROWS = 8_192
_OUTPUT_ROWS = 16_384
_FIXED_BYTES = 8  # a value of a type without a length of its own, or an offset


def main() -> None:
    """Read one Arrow stream, write it arranged."""
    serve(_work)


def _work(header: dict[str, Any], stdin: BufferedReader, stdout: BufferedWriter) -> None:
    connection = duckdb.connect(
        config={
            "memory_limit": f"{header['memory_bytes']}B",
            "temp_directory": f"{header['scratch']}/keys",
            "threads": 1,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "python_enable_replacements": False,
        }
    )
    rows_path = f"{header['scratch']}/rows.arrow"
    try:
        with pa.ipc.open_stream(stdin) as reader:
            starts = _take_in(connection, reader, header, rows_path)
        order = _order(connection, header)
        with pa.memory_map(rows_path) as file, pa.ipc.open_file(file) as rows:
            schema = _with_numbers(rows.schema)
            with pa.ipc.new_stream(stdout, schema) as writer:
                for picks in _portions(order):
                    writer.write_batch(_pick(rows, starts, picks, schema))
    except duckdb.OutOfMemoryException as error:
        raise ChildFailedError("memory", str(error).partition("\n\n")[0]) from error


def _take_in(
    connection: duckdb.DuckDBPyConnection, reader: Any, header: dict[str, Any], rows_path: str
) -> list[int]:
    """Put the rows into the file and their keys into DuckDB; return each batch's first row."""
    starts: list[int] = []
    with pa.OSFile(rows_path, "wb") as file, pa.ipc.new_file(file, reader.schema) as writer:

        def keys() -> Iterator[pa.RecordBatch]:
            row = 0
            for batch in reader:
                if batch.num_rows:
                    writer.write_batch(batch)
                    starts.append(row)
                    yield _keys(batch, row, header, schema)
                    row += batch.num_rows

        schema = _key_schema(reader.schema, header)
        connection.register("incoming", pa.RecordBatchReader.from_batches(schema, keys()))
        connection.execute("CREATE TABLE keys AS SELECT * FROM incoming").fetchall()
        connection.unregister("incoming")
    return starts


def _key_schema(schema: pa.Schema, header: dict[str, Any]) -> pa.Schema:
    groups = [(f"g{n}", schema.field(i).type) for n, i in enumerate(header["groups"])]
    orders = [(f"o{n}", schema.field(i).type) for n, i in enumerate(header["orders"])]
    return pa.schema([*groups, *orders, ("row", pa.int64()), ("size", pa.int64())])


def _keys(
    batch: pa.RecordBatch, first_row: int, header: dict[str, Any], schema: pa.Schema
) -> pa.RecordBatch:
    columns = [batch.column(i) for i in (*header["groups"], *header["orders"])]
    numbers = pa.array(range(first_row, first_row + batch.num_rows), pa.int64())
    return pa.RecordBatch.from_arrays([*columns, numbers, _sizes(batch)], schema=schema)


def _sizes(batch: pa.RecordBatch) -> Any:
    """Return about how many bytes each row takes in a batch."""
    fixed = _FIXED_BYTES * (batch.num_columns + 2)
    sizes = pa.array([fixed] * batch.num_rows, pa.int64())
    columns: list[Any] = batch.columns
    for column in columns:
        if pa.types.is_string(column.type):
            lengths = pc.fill_null(pc.binary_length(column), 0)
            sizes = pc.add(sizes, lengths.cast(pa.int64()))
    return sizes


def _order(connection: duckdb.DuckDBPyConnection, header: dict[str, Any]) -> Any:
    """Return a reader of (unit, row, size) in the order of the output."""
    groups = [f"g{n}" for n in range(len(header["groups"]))]
    if groups:
        names = ", ".join(groups)
        connection.execute(
            f"CREATE TABLE firsts AS SELECT {names}, min(row) AS first FROM keys GROUP BY {names}"  # noqa: S608
        ).fetchall()
        same = " AND ".join(f"keys.{name} IS NOT DISTINCT FROM units.{name}" for name in groups)
        units = "SELECT *, row_number() OVER (ORDER BY first) - 1 AS unit FROM firsts"
        source = f"keys JOIN ({units}) AS units ON {same}"
    else:
        source = "(SELECT *, 0 AS unit FROM keys) AS keys"
    orders = "".join(f"o{n} ASC NULLS LAST, " for n in range(len(header["orders"])))
    query = f"SELECT unit, row, size FROM {source} ORDER BY unit, {orders} row"  # noqa: S608
    return connection.sql(query).to_arrow_reader(_KEY_ROWS)


def _portions(order: Any) -> Iterator[list[tuple[int, int]]]:
    """Yield lists of (unit, row) that make one output batch each."""
    picks: list[tuple[int, int]] = []
    total = 0
    for batch in order:
        units, rows, sizes = (batch.column(n).to_pylist() for n in range(3))
        for unit, row, size in zip(units, rows, sizes, strict=True):
            if picks and (total + size > _OUTPUT_BYTES or len(picks) == _OUTPUT_ROWS):
                yield picks
                picks, total = [], 0
            picks.append((unit, row))
            total += size
    if picks:
        yield picks


def _pick(
    rows: Any, starts: list[int], picks: list[tuple[int, int]], schema: pa.Schema
) -> pa.RecordBatch:
    """Take the rows from the file batch by batch, then put them into the order asked for."""
    by_batch: dict[int, list[int]] = {}
    for position, (_, row) in enumerate(picks):
        by_batch.setdefault(bisect_right(starts, row) - 1, []).append(position)
    parts, positions = [], []
    for number, wanted in by_batch.items():
        local = pa.array([picks[position][1] - starts[number] for position in wanted], pa.int64())
        parts.append(rows.get_batch(number).take(local))
        positions.extend(wanted)
    back = pc.array_sort_indices(pa.array(positions, pa.int64()))
    whole = pa.Table.from_batches(parts).take(back).combine_chunks().to_batches()[0]
    numbers = [pa.array([pick[n] for pick in picks], pa.int64()) for n in (0, 1)]
    return pa.RecordBatch.from_arrays([*whole.columns, *numbers], schema=schema)


def _with_numbers(schema: pa.Schema) -> pa.Schema:
    return schema.append(pa.field(UNIT, pa.int64())).append(pa.field(ROW, pa.int64()))


if __name__ == "__main__":
    main()
