"""Loads rows or a file into a table: staged chunk by chunk, visible only once sealed."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shared.actions import quotas
from shared.actions.actor import Actor
from shared.actions.documents import open_documents
from shared.actions.job_request import UploadedFile
from shared.actions.key_check import KeyCheck, require_column
from shared.actions.refusals import FieldProblem, Invalid
from shared.database import audit, table_locks, tables
from shared.database.engine import Connection, Engine
from shared.database.tables import TableRecord
from shared.domain.columns import Column
from shared.domain.ids import new_id
from shared.settings import Settings
from shared.tables.arrow import RowError, batch_to_rows, check_rows, infer_columns, rows_to_batch
from shared.tables.reading import ReadLimits, Unreadable, read_file
from shared.tables.sample import SampleRows
from shared.tables.statistics import TableStatistics
from shared.tables.store import TableWriter

MAX_COLUMNS = 2_000
_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Staged:
    """A loaded table that still has to be sealed."""

    table_id: str
    columns: tuple[Column, ...]
    key: str | None
    row_count: int
    content_hash: str
    statistics: dict[str, Any]
    sample: list[dict[str, Any]]
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loading:
    """Where tables are loaded to, and for whom."""

    engine: Engine
    settings: Settings
    actor: Actor
    job_id: str | None = None


@contextmanager
def staging(engine: Engine) -> Iterator[list[str]]:
    """Collect the ids of tables being loaded; those not sealed at the end are deleted."""
    table_ids: list[str] = []
    try:
        yield table_ids
    except BaseException:
        if table_ids:
            with engine.begin() as connection:
                table_locks.drop_loading(connection, table_ids)
        raise


def load_table(
    loading: Loading, files: list[UploadedFile], *, name: str, key: str | None, before_commit: Any
) -> TableRecord:
    """Load an uploaded file as a table of its own; several become one row per document.

    `before_commit(connection, table)` runs in the transaction that makes the table visible.
    Raises Invalid: `unreadable` and its kin, `key_not_unique`, or `invalid` for an unknown key;
    and Forbidden (`storage_quota`).
    """
    with loading.engine.connect() as connection:
        quotas.look_for_bytes(connection, loading.settings, loading.actor.project_id)
    with staging(loading.engine) as table_ids:
        staged = _stage(loading, table_ids, files, name, key)
        with loading.engine.begin() as connection:
            table = seal(connection, staged)
            audit.append(
                connection, loading.actor.project_id, loading.actor.name, "table.create",
                table.id, {"rows": table.row_count, "format": staged.report["format"]},
            )  # fmt: skip
            before_commit(connection, table)
            quotas.admit_table(connection, loading.settings, loading.actor.project_id)
    return table


def stage_rows(
    loading: Loading, table_ids: list[str], rows: list[Any], *, name: str, key: str | None,
    pointer: str, key_pointer: str, format_: str = "rows",
) -> Staged:  # fmt: skip
    """Stage rows that came inside a request; `pointer` says where, for what is wrong in them."""
    try:
        check_rows(rows, pointer)
    except RowError as error:
        raise Invalid([FieldProblem(error.pointer, f"{error.detail}.")]) from error
    columns = infer_columns(rows)
    if len(columns) > MAX_COLUMNS:
        raise Invalid([FieldProblem(pointer, f"More than {MAX_COLUMNS} columns.")])
    sink = Sink(loading, table_ids, name, columns, key, key_pointer)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        sink.add(rows_to_batch(rows[start : start + _ROWS_AT_ONCE], columns))
    report = {
        "format": format_, "rows": len(rows), "unreadable": 0, "samples": [], "charset": None,
        "dialect": None,
    }  # fmt: skip
    return sink.finish(report)


def stage_file(
    loading: Loading, table_ids: list[str], file: UploadedFile, *, name: str, key: str | None,
    key_pointer: str,
) -> Staged:  # fmt: skip
    """Stage a file; rows that cannot be read are counted in the report, with line and reason."""
    limits = read_limits(loading.settings)
    with (
        unreadable_is_invalid(),
        read_file(
            file.path, name=file.name, format=file.format, sheet=file.sheet, limits=limits
        ) as reading,
    ):
        sink = Sink(loading, table_ids, name, reading.columns, key, key_pointer)
        for batch in reading.batches():
            sink.add(batch)
        return sink.finish(reading.report.to_json())


def _stage(
    loading: Loading, table_ids: list[str], files: list[UploadedFile], name: str, key: str | None
) -> Staged:
    """Stage one file as it is, several as a folder."""
    if len(files) == 1:
        return stage_file(
            loading, table_ids, files[0], name=name, key=key, key_pointer="/query/key"
        )
    with unreadable_is_invalid(), open_documents(files, read_limits(loading.settings)) as documents:
        sink = Sink(loading, table_ids, name, documents.columns, key, "/query/key")
        for batch in documents.batches():
            sink.add(batch)
        return sink.finish(documents.report())


def read_limits(settings: Settings) -> ReadLimits:
    """Return what the reader of an uploaded file may use."""
    return ReadLimits(wall_s=settings.read_wall_s, memory_bytes=settings.read_memory_bytes)


@contextmanager
def unreadable_is_invalid() -> Iterator[None]:
    """Turn what is wrong with a file into the refusal of its request."""
    try:
        yield
    except Unreadable as error:
        raise Invalid([], error.code, f"The file cannot be read: {error.detail}.") from error


def seal(connection: Connection, staged: Staged) -> TableRecord:
    """Make a staged table visible, in the caller's transaction."""
    table = tables.seal(
        connection, staged.table_id, columns=staged.columns, key=staged.key,
        content_hash=staged.content_hash, statistics=staged.statistics, sample=staged.sample,
        report=staged.report,
    )  # fmt: skip
    if table is None:
        raise LookupError(f"table {staged.table_id} was swept while it was loaded")
    return table


class Sink:
    """Takes batches and does everything a loaded table needs with them."""

    def __init__(
        self, loading: Loading, table_ids: list[str], name: str, columns: Sequence[Column],
        key: str | None, key_pointer: str, kind: str = "input",
    ) -> None:  # fmt: skip
        if key is not None:
            require_column((column.name for column in columns), key, key_pointer)
        self._columns, self._key = tuple(columns), key
        self._check = KeyCheck(key, key_pointer) if key is not None else None
        self._table_id = new_id("tbl")
        table_ids.append(self._table_id)
        with loading.engine.begin() as connection:
            tables.insert_loading(
                connection, self._table_id, loading.actor.project_id, name, kind, loading.job_id
            )
        self._writer = TableWriter(
            loading.engine, self._table_id, chunk_bytes=loading.settings.chunk_bytes
        )
        self._statistics, self._sample = TableStatistics(), SampleRows()

    def add(self, batch: Any) -> None:
        """Take one batch of rows."""
        if self._check is not None and self._key is not None:
            self._check.add(_values(batch, self._key))
        self._writer.add(batch)
        self._statistics.add(batch)
        self._sample.add(batch)

    @property
    def table_id(self) -> str:
        """The id of the table that is loaded."""
        return self._table_id

    def finish(self, report: dict[str, Any]) -> Staged:
        """Write what waits and return all that is known."""
        content_hash = self._writer.finish()
        statistics = {
            "columns": self._statistics.result(),
            "memory_bytes": self._writer.memory_bytes,
        }
        return Staged(
            self._table_id, self._columns, self._key, self._writer.row_count, content_hash,
            statistics, self._sample.result(), report,
        )  # fmt: skip


def _values(batch: Any, key: str) -> Iterable[Any]:
    return [row[key] for row in batch_to_rows(batch.select([key]))]
