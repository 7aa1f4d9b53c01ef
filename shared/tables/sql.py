"""One SELECT over data tables, checked and run in a child process that cannot do anything else."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared.domain.columns import Column
from shared.tables.arrow import batch_to_rows, schema_of
from shared.tables.child_process import ChildFailedError, ChildLimits, start_child
from shared.tables.scratch import scratch_directory
from shared.tables.sql_check import INVALID, REFUSALS

_MODULE = "shared.tables.sql_child"
_MB = 1 << 20
_QUERY_CHARS = 100_000
_OF_THE_CHILD = {"timeout", "cancelled", "memory", "failed"}
_DESCRIBE_S = 15.0
_PROCESS_BYTES = 256 * _MB  # what the libraries of the child take by themselves


class SqlRefused(Exception):
    """The query may not run.

    `code` is ``sql_not_one_select``, ``sql_unknown_table``, ``sql_invalid`` or
    ``sql_unsupported_type``; `detail` says what to change.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class SqlFailed(Exception):
    """The query ran and did not end well.

    `code` is ``sql_timeout``, ``sql_cancelled``, ``sql_memory``, ``sql_failed`` or
    ``output_too_large``.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """What one query may use.

    Above `memory_bytes` DuckDB spills to disk, up to `disk_bytes`, and fails where it cannot. The
    process is ended at twice that memory plus 256 MB. `wall_s` counts the loading of the inputs.
    """

    memory_bytes: int = 256 * _MB
    wall_s: float = 300.0
    max_rows: int = 1_000_000
    max_bytes: int = 256 * _MB
    disk_bytes: int = 8 << 30


@dataclass(frozen=True, slots=True)
class SqlInput:
    """One table: its columns and its rows as batches of the schema `arrow.schema_of` gives."""

    columns: Sequence[Column]
    batches: Iterable[pa.RecordBatch]


def describe_select(query: str, inputs: Mapping[str, Sequence[Column]]) -> tuple[Column, ...]:
    """Return the columns of the query's result without running it.

    The inputs are known to the query by their keys. Raises `SqlRefused`. Works in a child, since
    a query of one line can keep DuckDB busy for ever before it runs; answers are remembered.
    """
    tables = tuple((name, tuple(columns)) for name, columns in inputs.items())
    answer = _describe(query, tables)
    if isinstance(answer, SqlRefused):
        raise SqlRefused(answer.code, answer.detail)
    return answer


def run_select(
    query: str,
    inputs: Mapping[str, SqlInput],
    limits: SqlLimits,
    workdir: Path | None = None,
    cancelled: threading.Event | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of the result, JSON-ready, some at a time, in the result's order.

    Inputs are streamed into the child one after the other; nothing is held here. Without ORDER BY
    rows come in the order of the input. `workdir` is where spilled data goes (default: the
    system's temporary directory); nothing stays in it. Another thread ends the query by setting
    `cancelled`. Raises `SqlRefused` before the first row, `SqlFailed` at any time: rows are only
    good once the iterator has ended. Iterate in one thread.
    """
    header = _header(query, {name: table.columns for name, table in inputs.items()}, limits)
    header |= {"run": True, "max_rows": limits.max_rows, "max_bytes": limits.max_bytes}
    with _errors_named(), scratch_directory(workdir) as scratch:
        header["scratch"] = str(scratch)
        with start_child(_MODULE, header, _child_limits(limits), cancelled) as child:
            for table in inputs.values():
                child.send(schema_of(table.columns), table.batches)
            child.close_input()
            for batch in child.receive():
                yield batch_to_rows(batch)


@lru_cache(maxsize=512)
def _describe(
    query: str, tables: tuple[tuple[str, tuple[Column, ...]], ...]
) -> tuple[Column, ...] | SqlRefused:
    """Return refusals as values, so that they are remembered; accidents are raised."""
    limits = SqlLimits(memory_bytes=64 * _MB, wall_s=_DESCRIBE_S, disk_bytes=0)
    header = _header(query, dict(tables), limits) | {"run": False, "scratch": ""}
    try:
        with start_child(_MODULE, header, _child_limits(limits)) as child:
            child.close_input()
            answer = json.loads(child.read())
    except ChildFailedError as error:
        if error.code in REFUSALS:
            return SqlRefused(error.code, error.detail)
        detail = f"the query is too complex to check: {error.detail}"
        raise SqlRefused(INVALID, detail) from error
    return tuple(Column.from_json(column) for column in answer)


def _header(
    query: str, tables: Mapping[str, Sequence[Column]], limits: SqlLimits
) -> dict[str, Any]:
    if len(query) > _QUERY_CHARS:
        raise SqlRefused(INVALID, f"the query is longer than {_QUERY_CHARS} characters")
    return {
        "query": query,
        "inputs": {name: [c.to_json() for c in columns] for name, columns in tables.items()},
        "memory_bytes": limits.memory_bytes,
        "disk_bytes": limits.disk_bytes,
    }


def _child_limits(limits: SqlLimits) -> ChildLimits:
    return ChildLimits(
        memory_bytes=2 * limits.memory_bytes + _PROCESS_BYTES,
        wall_s=limits.wall_s,
        file_bytes=2 * limits.disk_bytes + _MB,  # so that DuckDB's own, clearer limit comes first
    )


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except ChildFailedError as error:
        if error.code in REFUSALS:
            raise SqlRefused(error.code, error.detail) from error
        code = f"sql_{error.code}" if error.code in _OF_THE_CHILD else error.code
        raise SqlFailed(code, error.detail) from error
