"""Looks at an input that came inside a request and stores nothing of it: for an estimate."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shared.actions.facts import table_facts
from shared.actions.job_request import InputRequest
from shared.actions.key_check import KeyCheck, require_column
from shared.actions.load_table import MAX_COLUMNS, read_limits, unreadable_is_invalid
from shared.actions.refusals import FieldProblem, Invalid
from shared.actions.stream_input import stream_batches
from shared.contracts.findings import json_pointer
from shared.domain.columns import Column
from shared.plans.facts import TableFacts
from shared.settings import Settings
from shared.tables.arrow import RowError, batch_to_rows, check_rows, infer_columns, rows_to_batch
from shared.tables.reading import read_file
from shared.tables.sample import SampleRows
from shared.tables.statistics import TableStatistics

_ROWS_AT_ONCE = 2_000


def measure_input(settings: Settings, item: InputRequest, policy: Mapping[str, Any]) -> TableFacts:
    """Return the facts of rows, a text or a file; raises Invalid as loading it would."""
    if item.address is not None:
        told = "An estimate fetches nothing; upload the file as a table, and name that."
        raise Invalid([FieldProblem(json_pointer("inputs", item.name, "url"), told)])
    with _batches(settings, item) as (columns, batches):
        key, pointer = item.key, json_pointer("inputs", item.name, "key")
        if key is not None:
            require_column((column.name for column in columns), key, pointer)
        check = KeyCheck(key or "", pointer)
        statistics, sample = TableStatistics(), SampleRows()
        for batch in batches:
            if key is not None:
                check.add([row[key] for row in batch_to_rows(batch.select([key]))])
            statistics.add(batch)
            sample.add(batch)
    known = {"columns": statistics.result()}
    rows = statistics.rows if item.columns is None else None
    return table_facts(columns, rows, item.key, known, sample.result(), policy)


@contextmanager
def _batches(
    settings: Settings, item: InputRequest
) -> Iterator[tuple[tuple[Column, ...], Iterable[Any]]]:
    if item.file is None:
        yield _inline(item)
        return
    file, limits = item.file, read_limits(settings)
    with (
        unreadable_is_invalid(),
        read_file(
            file.path, name=file.name, format=file.format, sheet=file.sheet, limits=limits
        ) as reading,
    ):
        yield reading.columns, reading.batches()


def _inline(item: InputRequest) -> tuple[tuple[Column, ...], Iterable[Any]]:
    if item.columns is not None:
        return item.columns, stream_batches(item, item.columns)
    pointer = json_pointer("inputs", item.name, "rows" if item.rows is not None else "text")
    rows = item.rows if item.rows is not None else [{"text": item.text, "name": item.name}]
    try:
        check_rows(rows, pointer)
    except RowError as error:
        raise Invalid([FieldProblem(error.pointer, f"{error.detail}.")]) from error
    columns = infer_columns(rows)
    if len(columns) > MAX_COLUMNS:
        raise Invalid([FieldProblem(pointer, f"More than {MAX_COLUMNS} columns.")])
    starts = range(0, len(rows), _ROWS_AT_ONCE)
    return columns, (rows_to_batch(rows[at : at + _ROWS_AT_ONCE], columns) for at in starts)
