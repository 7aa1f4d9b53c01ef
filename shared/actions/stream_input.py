"""Stages the input of a stream: declared columns, and the rows it starts with, if any."""

from collections.abc import Iterator
from typing import Any

from shared.actions.job_request import InputRequest
from shared.actions.load_table import Loading, Sink, Staged
from shared.actions.refusals import FieldProblem, Invalid
from shared.contracts.findings import json_pointer
from shared.database import streams
from shared.domain.columns import Column
from shared.domain.stream import key_text
from shared.tables.arrow import RowError, batch_to_rows, check_rows, rows_to_batch

_ROWS_AT_ONCE = 2_000


def stage_stream(
    loading: Loading, table_ids: list[str], item: InputRequest, columns: tuple[Column, ...]
) -> Staged:
    """Stage the rows a stream starts with, and their keys, so that none is appended again.

    Raises Invalid for a row that does not fit the columns, and `key_not_unique`.
    """
    key_pointer = json_pointer("inputs", item.name, "key")
    sink = Sink(loading, table_ids, item.name, columns, item.key, key_pointer)
    first_row = 0
    for batch in stream_batches(item, columns):
        sink.add(batch)
        keys = _keys(item, batch, first_row)
        with loading.engine.begin() as connection:
            streams.insert_keys(connection, sink.table_id, first_row, keys)
        first_row += len(keys)
    report = {
        "format": "records", "rows": first_row, "unreadable": 0, "samples": [], "charset": None,
        "dialect": None,
    }  # fmt: skip
    return sink.finish(report)


def stream_batches(item: InputRequest, columns: tuple[Column, ...]) -> Iterator[Any]:
    """Yield the rows a stream starts with as Arrow batches; raises Invalid where one is unfit."""
    rows, pointer = item.rows or [], json_pointer("inputs", item.name, "rows")
    try:
        check_rows(rows, pointer)
    except RowError as error:
        raise Invalid([FieldProblem(error.pointer, f"{error.detail}.")]) from error
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        try:
            yield rows_to_batch(block, columns)
        except RowError as error:
            place, slash, rest = error.pointer.removeprefix("/").partition("/")
            told = f"{pointer}/{start + int(place)}{slash}{rest}"
            raise Invalid([FieldProblem(told, f"{error.detail}.")]) from error


def _keys(item: InputRequest, batch: Any, first_row: int) -> list[str]:
    name = item.key or ""
    found = []
    for place, row in enumerate(batch_to_rows(batch.select([name])), first_row):
        try:
            found.append(key_text(row[name]))
        except ValueError as error:
            pointer = json_pointer("inputs", item.name, "rows", place, name)
            raise Invalid([FieldProblem(pointer, f"{error}.".capitalize())]) from error
    return found
