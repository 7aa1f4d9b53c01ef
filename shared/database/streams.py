"""Streams: open input tables, the records that wait to become chunks, and their keys.

Lock order: job, table, stream, stage, shard. An append holds the stream's row only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database import events, pauses, stages
from shared.database.engine import to_json
from shared.database.stages import StageRecord

_FIELDS = """s.table_id, s.job_id, i.name, t.key, s.first_rows, s.accepted_rows, s.accepted_bytes,
  t.row_count AS formed_rows, s.ended_at, s.sealed_at"""
_FROM = """streams s JOIN tables t ON t.id = s.table_id
  JOIN job_inputs i ON i.job_id = s.job_id AND i.table_id = s.table_id"""
# A stage that works off the open table and has rows of it to cut.
_CUT_DUE = """EXISTS (SELECT 1 FROM stages g JOIN tables d ON d.id = g.source_table_id
  WHERE g.job_id = s.job_id AND g.source_table_id = s.table_id AND g.status = 'open' AND g.streams
    AND NOT g.fully_cut AND g.cut_units < d.row_count)"""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """The open (later sealed) input of a stream or hybrid job."""

    table_id: str
    job_id: str
    name: str  # of the input
    key: str
    first_rows: int  # there at submission
    accepted_rows: int  # those included
    accepted_bytes: int  # of appended rows
    formed_rows: int  # in chunks, so that stages can read them
    ended_at: datetime | None
    sealed_at: datetime | None

    @property
    def lost_rows(self) -> int:
        """How many accepted rows are in no chunk, and never will be: it was sealed without them."""
        return self.accepted_rows - self.formed_rows if self.sealed_at else 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Records accepted together, encoded by `shared.tables.arrow`."""

    first_row: int
    row_count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """Where a key's record stands, and when it was accepted."""

    row_no: int
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of so many settled records: the median and the 99th percentile, in milliseconds."""

    settled: int
    p50_ms: int | None
    p99_ms: int | None


def open_table(connection: Connection, table_id: str, job_id: str) -> None:
    """A table sealed in this transaction -> open for records of `job_id`."""
    connection.execute(
        text("""UPDATE tables SET status = 'open', sealed_at = NULL, content_hash = NULL
          WHERE id = :id"""),
        {"id": table_id},
    )
    connection.execute(
        text("""INSERT INTO streams (table_id, job_id, first_rows, accepted_rows)
          SELECT id, :job_id, row_count, row_count FROM tables WHERE id = :id"""),
        {"id": table_id, "job_id": job_id},
    )


def of_job(connection: Connection, job_id: str) -> StreamRecord | None:
    """Return the stream of a job, None for a batch job."""
    row = connection.execute(
        text(f"SELECT {_FIELDS} FROM {_FROM} WHERE s.job_id = :id"), {"id": job_id}
    ).mappings().one_or_none()  # fmt: skip
    return StreamRecord(**row) if row else None


def lock(connection: Connection, job_id: str) -> StreamRecord | None:
    """Return the stream of a job with its own row locked: nobody else numbers records."""
    locked = connection.execute(
        text("SELECT 1 FROM streams WHERE job_id = :id FOR UPDATE"), {"id": job_id}
    ).one_or_none()
    return of_job(connection, job_id) if locked else None


def known_keys(connection: Connection, table_id: str, keys: Sequence[str]) -> set[str]:
    """Return which of these keys were accepted before."""
    found = connection.execute(
        text("SELECT key FROM stream_keys WHERE table_id = :id AND key = ANY(:keys)"),
        {"id": table_id, "keys": list(keys)},
    )
    return set(found.scalars())


def insert_keys(connection: Connection, table_id: str, first_row: int, keys: Sequence[str]) -> None:
    """Write the keys of consecutive rows; they were accepted now."""
    connection.execute(
        text("""INSERT INTO stream_keys (table_id, key, row_no)
          SELECT :id, k.key, CAST(:first AS bigint) + k.nth - 1
          FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS k(key, nth)"""),
        {"id": table_id, "first": first_row, "keys": list(keys)},
    )


def append(connection: Connection, stream: StreamRecord, keys: Sequence[str], data: bytes) -> None:
    """Accept new records, in order; the caller holds the stream's lock and looked at the keys."""
    values = {
        "id": stream.table_id, "first": stream.accepted_rows, "count": len(keys), "data": data,
    }  # fmt: skip
    insert_keys(connection, stream.table_id, stream.accepted_rows, keys)
    connection.execute(
        text("""INSERT INTO stream_batches (table_id, first_row, row_count, data)
          VALUES (:id, :first, :count, :data)"""),
        values,
    )
    connection.execute(
        text("""UPDATE streams SET accepted_rows = accepted_rows + :count,
          accepted_bytes = accepted_bytes + octet_length(:data) WHERE table_id = :id"""),
        values,
    )


def unsettled(connection: Connection, stream: StreamRecord) -> int:
    """Return how many appended records are not worked off by the slowest stage over the stream.

    Of a plan none of whose stages works while the stream is open, those that are in no chunk yet.
    """
    behind = connection.execute(
        text("""SELECT coalesce(max(CAST(:formed AS bigint) - g.cut_units
              + (SELECT coalesce(sum(unit_count - succeeded - failed), 0) FROM shards h
                WHERE h.stage_id = g.id AND h.status IN ('pending', 'dispatched', 'running'))), 0)
            FROM stages g WHERE g.job_id = :job_id AND g.streams AND g.ended_early IS NULL
              AND g.status IN ('waiting', 'open')
              AND g.reads ->> (g.spec -> 'over' ->> 0) = :table_id"""),
        {"formed": stream.formed_rows, "job_id": stream.job_id, "table_id": stream.table_id},
    ).scalar_one()  # fmt: skip
    in_no_chunk = stream.accepted_rows - stream.formed_rows - stream.lost_rows
    return min(int(behind) + in_no_chunk, stream.accepted_rows - stream.first_rows)


def end(connection: Connection, job_id: str, *, actor: str) -> bool:
    """No more records, with the event; False when it had ended (or the job has no stream).

    The caller holds the job's row lock.
    """
    stream = lock(connection, job_id)
    if stream is None or stream.ended_at is not None:
        return False
    connection.execute(
        text("UPDATE streams SET ended_at = clock_timestamp() WHERE job_id = :id"), {"id": job_id}
    )
    data = {"input": stream.name, "records": stream.accepted_rows}
    events.append(connection, job_id, "stream.ended", actor=actor, data=data)
    return True


def open_stage(connection: Connection, stage: StageRecord, table_id: str) -> StageRecord | None:
    """waiting -> open over a table that rows are still appended to; None if it was opened already.

    Over one that was sealed meanwhile it opens as any other: its units are known.
    """
    table = connection.execute(
        text("SELECT status, row_count FROM tables WHERE id = :id FOR SHARE"), {"id": table_id}
    ).one()
    opened = stages.open_stage(
        connection, stage.id, source_table_id=table_id,
        unit_count=0 if table.status == "open" else table.row_count,
    )  # fmt: skip
    if opened is None or table.status != "open":
        return opened
    connection.execute(text("UPDATE stages SET fully_cut = false WHERE id = :id"), {"id": stage.id})
    return opened


def due(connection: Connection, rows: int, age_s: float, limit: int) -> list[str]:
    """Return running jobs with enough, or old enough, records that no shard has.

    Any of them where there are more than `limit`, so that no stream waits behind the same others.
    """
    return list(
        connection.execute(
            text(f"""SELECT s.job_id FROM streams s JOIN jobs j ON j.id = s.job_id
              JOIN tables t ON t.id = s.table_id
              WHERE s.sealed_at IS NULL AND j.status = 'running'
                AND NOT {pauses.held("j.project_id")} AND (
                s.accepted_rows - t.row_count >= :rows OR {_CUT_DUE}
                OR (SELECT accepted_at FROM stream_batches b WHERE b.table_id = s.table_id
                  ORDER BY first_row LIMIT 1)
                  < clock_timestamp() - make_interval(secs => :age))
              ORDER BY random() LIMIT :limit"""),
            {"rows": rows, "age": age_s, "limit": limit},
        ).scalars()
    )


def lock_table(connection: Connection, table_id: str) -> bool:
    """Take the right to write an open table's chunks; False when another has it or it is sealed.

    Appends go on meanwhile: they refer to the table, and never change it.
    """
    return (
        connection.execute(
            text("""SELECT 1 FROM tables WHERE id = :id AND status = 'open'
              FOR NO KEY UPDATE SKIP LOCKED"""),
            {"id": table_id},
        ).one_or_none()
        is not None
    )


def oldest_batches(connection: Connection, table_id: str, most_bytes: int) -> list[Batch]:
    """Return the batches that come next, up to `most_bytes`, at least one if there is any."""
    rows = connection.execute(
        text("""SELECT first_row, row_count, data FROM (
            SELECT first_row, row_count, data, coalesce(sum(octet_length(data)) OVER
              (ORDER BY first_row ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
            FROM (SELECT * FROM stream_batches WHERE table_id = :id ORDER BY first_row
              LIMIT 2000) b) w
          WHERE before < :most ORDER BY first_row"""),
        {"id": table_id, "most": most_bytes},
    )
    return [Batch(row.first_row, row.row_count, bytes(row.data)) for row in rows]


def lacks_batches(connection: Connection, table_id: str) -> bool:
    """True when accepted rows are neither in a chunk nor waiting: nobody can form them.

    The caller holds the table (`lock_table`), so none is formed meanwhile.
    """
    return (
        connection.execute(
            text("""SELECT 1 FROM streams s JOIN tables t ON t.id = s.table_id
              WHERE s.table_id = :id AND s.accepted_rows > t.row_count
                AND NOT EXISTS (SELECT 1 FROM stream_batches b WHERE b.table_id = s.table_id)"""),
            {"id": table_id},
        ).one_or_none()
        is not None
    )


def note_formed(
    connection: Connection, table_id: str, rows: int, data_bytes: int, memory_bytes: int
) -> None:
    """Count a chunk of `rows` rows that was written from the oldest batches, and drop those."""
    connection.execute(
        text("""DELETE FROM stream_batches b USING tables t WHERE t.id = :id AND b.table_id = :id
          AND b.first_row < t.row_count + :rows"""),
        {"id": table_id, "rows": rows},
    )
    connection.execute(
        text("""UPDATE tables SET row_count = row_count + :rows, chunk_count = chunk_count + 1,
            byte_count = byte_count + :bytes, statistics = jsonb_set(coalesce(statistics, '{}'),
              '{memory_bytes}', to_jsonb(coalesce((statistics->>'memory_bytes')::bigint, 0)
                + :memory)) WHERE id = :id"""),
        {"id": table_id, "rows": rows, "bytes": data_bytes, "memory": memory_bytes},
    )


def note_cut(connection: Connection, stage_id: int, cut_from: int, cut_to: int) -> bool:
    """Move the cutting cursor of a stage over an open table, its units being what is cut so far.

    False when the cursor is not at `cut_from`. The stage is fully cut once its table is sealed.
    """
    return (
        connection.execute(
            text("""UPDATE stages SET cut_units = :cut_to,
                unit_count = greatest(unit_count, CAST(:cut_to AS bigint))
              WHERE id = :id AND cut_units = :cut_from AND status = 'open' AND NOT fully_cut"""),
            {"id": stage_id, "cut_from": cut_from, "cut_to": cut_to},
        ).rowcount
        == 1
    )


def seal(
    connection: Connection, stream: StreamRecord, *, content_hash: str | None,
    statistics: dict[str, Any], sample: list[dict[str, Any]], report: dict[str, Any],
    cut_short: bool = False,
) -> bool:  # fmt: skip
    """open -> sealed, once ended and all in chunks; its stages now know how many units they have.

    False when it was sealed already, or something is still to be written. With `cut_short` it is
    sealed at what is in chunks: the rest are units as well, which nothing will run.
    """
    if not lock_table(connection, stream.table_id):
        return False
    current = lock(connection, stream.job_id)
    if current is None or current.ended_at is None:
        return False
    if current.formed_rows != stream.formed_rows:
        return False
    if current.accepted_rows != current.formed_rows and not cut_short:
        return False
    connection.execute(
        text("""UPDATE tables SET status = 'sealed', sealed_at = clock_timestamp(),
            content_hash = :hash, statistics = CAST(:statistics AS jsonb),
            sample = CAST(:sample AS jsonb), report = CAST(:report AS jsonb) WHERE id = :id"""),
        {
            "id": stream.table_id, "hash": content_hash, "statistics": to_json(statistics),
            "sample": to_json(sample), "report": to_json(report),
        },
    )  # fmt: skip
    connection.execute(
        text("UPDATE streams SET sealed_at = clock_timestamp() WHERE table_id = :id"),
        {"id": stream.table_id},
    )
    connection.execute(
        text("""UPDATE stages SET unit_count = :rows,
            fully_cut = fully_cut OR cut_units >= CAST(:rows AS bigint)
          WHERE source_table_id = :id AND streams AND status = 'open'"""),
        {"id": stream.table_id, "rows": current.accepted_rows},
    )
    return True


def is_unsealed(connection: Connection, job_id: str) -> bool:
    """True while the job's stream is open or not written to its end."""
    return (
        connection.execute(
            text("SELECT 1 FROM streams WHERE job_id = :id AND sealed_at IS NULL"), {"id": job_id}
        ).one_or_none()
        is not None
    )


def find_record(connection: Connection, table_id: str, key: str) -> KeptRecord | None:
    """Return where the record of a key stands."""
    row = connection.execute(
        text("""SELECT row_no, accepted_at FROM stream_keys
          WHERE table_id = :id AND key = :key"""),
        {"id": table_id, "key": key},
    ).one_or_none()
    return KeptRecord(row.row_no, row.accepted_at) if row else None


def latencies(connection: Connection, table_id: str, stage_id: int, from_row: int) -> Latencies:
    """Return the times from accepted to settled of rows from `from_row` on, as row units."""
    row = connection.execute(
        text("""SELECT count(*) AS settled, percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP
            (ORDER BY extract(epoch FROM r.settled_at - k.accepted_at) * 1000) AS ms
          FROM stream_keys k JOIN results r
            ON r.stage_id = :stage_id AND r.unit = k.row_no AND r.replica = 0
          WHERE k.table_id = :id AND k.row_no >= :from_row"""),
        {"id": table_id, "stage_id": stage_id, "from_row": from_row},
    ).one()  # fmt: skip
    p50, p99 = (round(value) for value in row.ms) if row.ms else (None, None)
    return Latencies(row.settled, p50, p99)
