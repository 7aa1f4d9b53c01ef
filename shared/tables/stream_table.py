"""Writes the accepted records of a stream into its table's chunks, and seals it at the end."""

import hashlib

import pyarrow as pa

from shared.database import streams, tables
from shared.database.engine import Connection, Engine, retrying
from shared.database.streams import StreamRecord
from shared.database.tables import Chunk
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
    if table is None or not waiting:
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


def _seal(engine: Engine, stream: StreamRecord) -> bool:
    """Read the chunks once more: hash, statistics and sample are of the whole table."""
    with engine.connect() as connection:
        table = tables.find(connection, stream.table_id)
    if table is None or table.status != "open" or table.row_count != stream.formed_rows:
        return False
    statistics, sample, digest, memory_bytes = TableStatistics(), SampleRows(), hashlib.sha256(), 0
    for batch in batches(engine, table):
        digest.update(encode_chunk(batch))
        statistics.add(batch)
        sample.add(batch)
        memory_bytes += batch.nbytes
    report = {
        "format": "records", "rows": table.row_count, "unreadable": 0, "samples": [],
        "charset": None, "dialect": None,
    }  # fmt: skip
    return retrying(
        engine,
        lambda tx: streams.seal(
            tx, stream, content_hash=digest.hexdigest(),
            statistics={"columns": statistics.result(), "memory_bytes": memory_bytes},
            sample=sample.result(), report=report,
        ),
    )  # fmt: skip
