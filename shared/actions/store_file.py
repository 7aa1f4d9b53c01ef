"""Stores an uploaded batch file: its lines, cut into columns, and what is wrong with them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from shared.actions import quotas
from shared.actions.job_request import UploadedFile
from shared.actions.key_check import Hashes
from shared.actions.load_table import Loading, Sink, Staged, seal, staging
from shared.actions.refusals import FieldProblem, Invalid
from shared.contracts.batch_line import BatchLine, LineProblem, is_blank, read_line
from shared.database import audit, batch_files
from shared.database.batch_files import FileRecord, NewInput
from shared.database.engine import Connection
from shared.domain.columns import Column
from shared.domain.ids import new_id
from shared.tables.arrow import rows_to_batch

KEY = "custom_id"
COLUMNS = tuple(Column(name, "string") for name in (KEY, "body", "before", "after"))
MOST_ERRORS = 200  # that are told one by one
MOST_MODELS = 100
LONGEST_NAME = 200
_POINTER = "/file"
_ROWS_AT_ONCE, _CHARS_AT_ONCE = 1_000, 1_000_000


@dataclass(slots=True)
class _Read:
    """What was found in the lines so far."""

    line_count: int = 0
    byte_count: int = 0
    error_count: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    models: dict[str, list[int]] = field(default_factory=dict)
    seen: Hashes = field(default_factory=Hashes)

    def note(self, number: int, line: BatchLine) -> LineProblem | None:
        """Take a line into account; return what is wrong with it, alone or beside the others."""
        self.line_count += 1
        problem = line.problem or self._repeats(line) or self._one_model_more(number, line)
        if problem is not None:
            self.error_count += 1
            if len(self.errors) < MOST_ERRORS:
                self.errors.append(
                    {"code": problem.code, "line": number, "message": problem.message,
                     "param": problem.param}
                )  # fmt: skip
        return problem

    def _repeats(self, line: BatchLine) -> LineProblem | None:
        digest = blake2b((line.custom_id or "").encode(), digest_size=8).digest()
        if self.seen.add(int.from_bytes(digest)):
            return None
        told = "`custom_id` is the same as on an earlier line."
        return LineProblem("duplicate_custom_id", told, KEY)

    def _one_model_more(self, number: int, line: BatchLine) -> LineProblem | None:
        known = self.models.get(line.model or "")
        if known is not None:
            known[1] += 1
        elif len(self.models) == MOST_MODELS:
            told = f"The lines above name {MOST_MODELS} models already."
            return LineProblem("too_many_models", told, "body.model")
        else:
            self.models[line.model or ""] = [number, 1]
        return None


def store_file(
    loading: Loading, file: UploadedFile, *, keep_s: float | None,
    before_commit: Callable[[Connection, FileRecord], None],
) -> FileRecord:  # fmt: skip
    """Store the file under `keep_s` seconds (None: until it is deleted) and return its record.

    Lines that cannot be run are part of it: a batch over it fails and says which they are. Read
    line by line, whatever its size. Raises Invalid `unreadable` for an empty file and for a line
    that is no text or longer than a JSON body may be, and Forbidden (`storage_quota`); then
    nothing is kept.
    """
    project_id = loading.actor.project_id
    with loading.engine.connect() as connection:
        quotas.look_for_bytes(connection, loading.settings, project_id)
    read = _Read()
    with staging(loading.engine) as table_ids:
        staged = _stage(loading, table_ids, file, read)
        with loading.engine.begin() as tx:
            seal(tx, staged)
            return _written(tx, loading, file, staged, read, keep_s, before_commit)


def _written(
    tx: Connection, loading: Loading, file: UploadedFile, staged: Staged, read: _Read,
    keep_s: float | None, before_commit: Callable[[Connection, FileRecord], None],
) -> FileRecord:  # fmt: skip
    actor, file_id = loading.actor, new_id("fil")
    batch_files.insert_input(
        tx,
        NewInput(
            file_id, actor.project_id, file.name[:LONGEST_NAME], staged.table_id, read.byte_count,
            read.line_count, read.models, read.errors, read.error_count, keep_s,
        ),
    )  # fmt: skip
    told = {"lines": read.line_count, "bytes": read.byte_count}
    audit.append(tx, actor.project_id, actor.name, "file.create", file_id, told)
    record = batch_files.find(tx, file_id, actor.project_id)
    if record is None:
        raise LookupError(f"file {file_id} is gone in the transaction that wrote it")
    before_commit(tx, record)
    quotas.admit_table(tx, loading.settings, actor.project_id)
    return record


def _stage(loading: Loading, table_ids: list[str], file: UploadedFile, read: _Read) -> Staged:
    sink = Sink(
        loading, table_ids, file.name[:LONGEST_NAME], COLUMNS, None, _POINTER, kind="file"
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    chars = 0
    for row in _rows(file, loading.settings.body_max_bytes, read):
        rows.append(row)
        chars += sum(len(value or "") for value in row.values())
        if len(rows) >= _ROWS_AT_ONCE or chars >= _CHARS_AT_ONCE:
            sink.add(rows_to_batch(rows, COLUMNS))
            rows, chars = [], 0
    if rows:
        sink.add(rows_to_batch(rows, COLUMNS))
    if not read.line_count:
        raise _unreadable("The file has no line.")
    report = {
        "format": "batch", "rows": read.line_count, "unreadable": read.error_count, "samples": [],
        "charset": "utf-8", "dialect": None,
    }  # fmt: skip
    staged = sink.finish(report)
    known = staged.statistics["columns"]  # without what is no JSON: it may hold a NUL
    statistics = {**staged.statistics, "columns": {name: known[name] for name in (KEY, "body")}}
    key = None if read.error_count else KEY
    return replace(staged, key=key, sample=[], statistics=statistics)


def _rows(file: UploadedFile, longest: int, read: _Read) -> Iterator[dict[str, Any]]:
    """Yield a row for each line that asks for something; blank ones go with the next or last."""
    blank = ""
    row: dict[str, Any] | None = None
    for number, text in _lines(file, longest, read):
        if is_blank(text):
            blank += text
            continue
        if row is not None:
            yield row
        line = read_line(text)
        sound = read.note(number, line) is None
        row = {
            KEY: line.custom_id, "body": line.body if sound else None,
            "before": blank + line.before if sound else blank + text,
            "after": line.after if sound else "",
        }  # fmt: skip
        blank = ""
    if row is not None:
        yield {**row, "after": f"{row['after']}{blank}"}


def _lines(file: UploadedFile, longest: int, read: _Read) -> Iterator[tuple[int, str]]:
    with file.path.open("rb") as source:
        for number, line in enumerate(iter(lambda: source.readline(longest + 1), b""), 1):
            if len(line) > longest:
                raise _unreadable(f"Line {number} is longer than {longest} bytes.")
            read.byte_count += len(line)
            try:
                yield number, line.decode()
            except UnicodeDecodeError as error:
                raise _unreadable(f"Line {number} is not UTF-8.") from error


def _unreadable(detail: str) -> Invalid:
    return Invalid([FieldProblem(_POINTER, detail)], "unreadable", detail)
