"""Writes the accepted records of a stream into its table's chunks, and seals it at the end."""

import hashlib
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from shared.database import events, jobs, streams, tables
from shared.database.engine import Connection, Engine, is_transient, retrying
from shared.database.streams import StreamRecord
from shared.database.tables import Chunk, TableRecord
from shared.domain.stream import CUT_SHORT
from shared.tables.arrow import decode_chunk, encode_chunk
from shared.tables.sample import SampleRows
from shared.tables.statistics import TableStatistics
from shared.tables.store import batches


def form_up(engine: Engine, table_id: str, chunk_bytes: int) -> int:
    """Move the oldest waiting records into one chunk; return how many rows.

    One transaction, so a record is in a batch or in a chunk, never in both or neither. 0 when none
    waits, or another process is at it.
    """
    return retrying(engine, lambda tx: _form_up(tx, table_id, chunk_bytes))


def _form_up(tx: Connection, table_id: str, chunk_bytes: int) -> int:
    if not streams.lock_table(tx, table_id):
        return 0
    table = tables.find(tx, table_id)
    waiting = streams.oldest_batches(tx, table_id, chunk_bytes)
    if table is None:
        return 0
    if not waiting:
        if streams.lacks_batches(tx, table_id):
            raise LookupError(f"rows of table {table_id} are missing from {table.row_count} on")
        return 0
    if waiting[0].first_row != table.row_count:
        raise LookupError(f"rows of table {table_id} are missing before {waiting[0].first_row}")
    merged = pa.concat_tables([decode_chunk(batch.data) for batch in waiting])
    data = encode_chunk(merged)
    chunk = Chunk(table.chunk_count, table.row_count, merged.num_rows, None, data)
    tables.insert_chunks(tx, table_id, [chunk])
    streams.note_formed(tx, table_id, merged.num_rows, len(data), merged.nbytes)
    return int(merged.num_rows)


def finish_stream(engine: Engine, job_id: str, chunk_bytes: int) -> bool:
    """Form up what is left of an ended stream and seal its table; True when this call sealed it.

    Done in bounded transactions, gone on with by whoever comes next; harmless when repeated.
    """
    with engine.connect() as connection:
        stream = streams.of_job(connection, job_id)
    if stream is None or stream.ended_at is None or stream.sealed_at is not None:
        return False
    while form_up(engine, stream.table_id, chunk_bytes):
        pass
    with engine.connect() as connection:
        stream = streams.of_job(connection, job_id)
    return stream is not None and _seal(engine, stream)


def cut_short(engine: Engine, job_id: str, why: str) -> bool:
    """Seal the table of an ended stream at what is in chunks; True when this call sealed it.

    For a job that has been told to end, where `finish_stream` raised (`why`, of its report): what
    else was accepted stays in the ledger as units that nobody runs.
    """
    with engine.connect() as connection:
        stream = streams.of_job(connection, job_id)
        table = tables.find(connection, stream.table_id) if stream else None
    if stream is None or stream.ended_at is None or stream.sealed_at is not None:
        return False
    if table is None or table.status != "open" or table.row_count != stream.formed_rows:
        return False
    try:
        found = _describe(engine, table)
    except Exception as error:
        if is_transient(error):
            raise
        found = _Described(None, _no_statistics(table), [])  # its chunks cannot be read either
    return retrying(engine, lambda tx: _seal_short(tx, stream, found, why[:500]))


def _seal_short(tx: Connection, stream: StreamRecord, found: "_Described", why: str) -> bool:
    job = jobs.lock(tx, stream.job_id)
    lost = stream.accepted_rows - stream.formed_rows
    reason = {"line": stream.formed_rows + 1, "reason": why}
    report = {
        "format": "records", "rows": stream.formed_rows, "unreadable": lost,
        "samples": [reason] if lost else [], "charset": None, "dialect": None,
    }  # fmt: skip
    sealed = streams.seal(
        tx, stream, content_hash=found.content_hash, statistics=found.statistics,
        sample=found.sample, report=report, cut_short=True,
    )  # fmt: skip
    if sealed and job is not None and job.finished_at is None:  # after its end nothing is told
        data = {"input": stream.name, "records": lost, "code": CUT_SHORT, "detail": why}
        events.append(tx, stream.job_id, "stream.cut_short", actor="collector", data=data)
    return sealed


@dataclass(frozen=True, slots=True)
class _Described:
    """What is known of the rows of a table."""

    content_hash: str | None
    statistics: dict[str, Any]
    sample: list[dict[str, Any]]


def _no_statistics(table: TableRecord) -> dict[str, Any]:
    return {"columns": {}, "memory_bytes": (table.statistics or {}).get("memory_bytes", 0)}


def _seal(engine: Engine, stream: StreamRecord) -> bool:
    with engine.connect() as connection:
        table = tables.find(connection, stream.table_id)
    if table is None or table.status != "open" or table.row_count != stream.formed_rows:
        return False
    found = _describe(engine, table)
    report = {
        "format": "records", "rows": table.row_count, "unreadable": 0, "samples": [],
        "charset": None, "dialect": None,
    }  # fmt: skip
    return retrying(
        engine,
        lambda tx: streams.seal(
            tx, stream, content_hash=found.content_hash, statistics=found.statistics,
            sample=found.sample, report=report,
        ),
    )  # fmt: skip


def _describe(engine: Engine, table: TableRecord) -> _Described:
    """Read the chunks once more: hash, statistics and sample are of the whole table."""
    statistics, sample, digest, memory_bytes = TableStatistics(), SampleRows(), hashlib.sha256(), 0
    for batch in batches(engine, table):
        digest.update(encode_chunk(batch))
        statistics.add(batch)
        sample.add(batch)
        memory_bytes += batch.nbytes
    return _Described(
        digest.hexdigest(),
        {"columns": statistics.result(), "memory_bytes": memory_bytes},
        sample.result(),
    )
