"""Appends records to the stream of a job, batch by batch: checked, deduplicated, then accepted."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from shared.actions import quotas
from shared.actions.actor import Actor
from shared.actions.own_job import wrong_state
from shared.actions.refusals import Gone, NotFound, TooFarBehind
from shared.database import audit, jobs, streams, tables
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.database.streams import StreamRecord
from shared.domain.columns import Column
from shared.domain.job import FINAL
from shared.domain.stream import is_too_far_behind, key_text, new_records
from shared.settings import Settings
from shared.tables.arrow import RowError, batch_to_rows, check_row, encode_chunk, rows_to_batch
from shared.tables.readers.json_check import below

RECORDS_AT_ONCE = 500
BYTES_AT_ONCE = 1_000_000
MOST_REJECTED = 1_000  # that are told one by one


@dataclass(frozen=True, slots=True)
class Sent:
    """One record as it came: its place as the client counts, and its value or what is wrong."""

    place: int
    value: Any = None
    fault: str | None = None
    size: int = 0  # bytes, where known


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was not accepted; `pointer` leads into the record."""

    place: int
    pointer: str
    detail: str


@dataclass(slots=True)
class Appended:
    """What became of the records of a request so far; only the first rejected are kept."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    rejected_total: int = 0

    def reject(self, rejected: Iterable[Rejected]) -> None:
        """Count rejected records."""
        for item in rejected:
            self.rejected_total += 1
            if len(self.rejected) < MOST_REJECTED:
                self.rejected.append(item)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Records that fit the stream's columns, as rows and as one Arrow batch."""

    keys: list[str]
    rows: Any
    rejected: list[Rejected]


def append_records(
    engine: Engine, settings: Settings, actor: Actor, job_id: str, records: Iterable[Sent],
    before_commit: Callable[[Connection, Appended], None],
) -> Appended:  # fmt: skip
    """Accept what is new; each batch is a transaction, so what was accepted stays whatever follows.

    Sent again after a lost answer, records count as duplicates. `before_commit` runs in the last
    transaction. Raises NotFound; WrongState for a batch job, an ended stream or a job that ends;
    TooFarBehind when too many records have no outcome, then nothing of this batch was accepted;
    Forbidden (`storage_quota`) and Invalid (`too_many_rows`) where the project has no room.
    """
    with engine.connect() as connection:
        job = jobs.find(connection, job_id, actor.project_id)
        if job is None:
            raise NotFound("job")
        if job.deleted_at is not None:
            raise Gone("job")
        stream = require_stream(connection, job)
        table = tables.find(connection, stream.table_id)
        quotas.look_for_bytes(connection, settings, actor.project_id)
    if table is None:
        raise LookupError(f"table {stream.table_id} of a stream is gone")
    counted, batches = Appended(), _batches(records)
    batch = next(batches, [])
    while True:
        following = next(batches, None)
        fit = _fitting(batch, table.columns, stream.key)
        with engine.begin() as tx:
            _accept(tx, settings, actor, job_id, fit, counted)
            if following is None:
                before_commit(tx, counted)
        if following is None:
            return counted
        batch = following


def require_stream(connection: Connection, job: JobRecord) -> StreamRecord:
    """Return the stream of a job; raises WrongState for a batch job."""
    stream = streams.of_job(connection, job.id)
    if stream is None:
        raise wrong_state(job, "as a batch job it takes no records")
    return stream


def _batches(records: Iterable[Sent]) -> Iterator[list[Sent]]:
    waiting = iter(records)
    while batch := list(islice(waiting, 1)):
        size = batch[0].size
        while len(batch) < RECORDS_AT_ONCE and size < BYTES_AT_ONCE:
            one = next(waiting, None)
            if one is None:
                break
            batch.append(one)
            size += one.size
        yield batch


def _fitting(batch: list[Sent], columns: tuple[Column, ...], key: str) -> _Fit:
    """Part the records into those that fit the columns and those that do not."""
    rejected = [Rejected(item.place, "", item.fault) for item in batch if item.fault is not None]
    good = [item for item in batch if item.fault is None]
    try:
        return _Fit(*_fitted([item.value for item in good], columns, key), rejected)
    except RowError:
        pass  # one of them; found one by one
    values = []
    for item in good:
        try:
            _fitted([item.value], columns, key)
            values.append(item.value)
        except RowError as error:
            pointer = error.pointer.removeprefix("/0")
            rejected.append(Rejected(item.place, pointer, f"{error.detail}."))
    return _Fit(
        *_fitted(values, columns, key), sorted(rejected, key=lambda item: item.place)
    )  # fmt: skip


def _fitted(values: list[Any], columns: tuple[Column, ...], key: str) -> tuple[list[str], Any]:
    """Return keys and rows; raises RowError with a pointer into `values` unless all fit."""
    for place, value in enumerate(values):
        check_row(value, f"/{place}")
    rows = rows_to_batch(values, columns)
    keys = []
    for place, row in enumerate(batch_to_rows(rows.select([key]))):
        try:
            keys.append(key_text(row[key]))
        except ValueError as error:
            raise RowError(below(f"/{place}", key), str(error)) from error
    return keys, rows


def _accept(
    tx: Connection, settings: Settings, actor: Actor, job_id: str, fit: _Fit, counted: Appended
) -> None:
    stream, job = streams.lock(tx, job_id), jobs.find(tx, job_id)
    if stream is None or job is None:
        raise NotFound("job")
    _require_open(job, stream)
    _require_near(tx, settings, stream, counted)
    new = new_records(fit.keys, streams.known_keys(tx, stream.table_id, fit.keys))
    if new.places:
        limits = quotas.quotas_of(tx, settings, job.project_id)
        quotas.require_rows(stream.accepted_rows + len(new.places), limits, "")
        keys = [fit.keys[place] for place in new.places]
        streams.append(tx, stream, keys, encode_chunk(fit.rows.take(list(new.places))))
        told = {"records": len(new.places)}
        audit.append(tx, job.project_id, actor.name, "job.append_records", job_id, told)
    counted.accepted += len(new.places)
    counted.duplicates += new.duplicates
    counted.reject(fit.rejected)


def _require_open(job: JobRecord, stream: StreamRecord) -> None:
    if job.status in FINAL or job.status == "finalizing":
        raise wrong_state(job, "it takes no more records")
    if stream.ended_at is not None:
        raise wrong_state(job, "its records have ended")


def _require_near(
    tx: Connection, settings: Settings, stream: StreamRecord, counted: Appended
) -> None:
    """Refuse while the workers are too far behind; a limit is passed by one batch at most."""
    appended = stream.accepted_rows - stream.first_rows
    limits = {
        "most_rows": settings.stream_max_behind_rows,
        "most_bytes": settings.stream_max_behind_bytes,
    }
    if not is_too_far_behind(appended, appended, stream.accepted_bytes, **limits):
        return  # even if none were settled
    unsettled = streams.unsettled(tx, stream)
    if is_too_far_behind(unsettled, appended, stream.accepted_bytes, **limits):
        raise TooFarBehind(
            f"{unsettled} records wait for their outcome; of this request {counted.accepted} were "
            "accepted. Send it again later: what was accepted counts as duplicate."
        )
