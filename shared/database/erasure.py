"""Erases what a deleted job leaves, in bounded batches; its tombstone and the audit log stay."""

from sqlalchemy import Connection, text

from shared.database import delivery_log, trigger_deliveries, usage_hours, webhook_batches

# Tables of the job, and inputs of a job deleted before that only this one used still; without
# those that a job that is not deleted reads. `tables.job_id` is NULL for uploads: they stay.
# UNION, not OR: only so the indexes are used, and not every table of the database is looked at.
_UNUSED = """NOT EXISTS (SELECT 1 FROM job_inputs i JOIN jobs j ON j.id = i.job_id
  WHERE i.table_id = t.id AND j.id <> :id AND j.deleted_at IS NULL)"""
_ITS_OWN = f"""t.id IN (SELECT id FROM tables WHERE job_id = :id
    UNION SELECT u.table_id FROM job_inputs u JOIN tables d ON d.id = u.table_id
      JOIN jobs o ON o.id = d.job_id WHERE u.job_id = :id AND o.deleted_at IS NOT NULL)
  AND {_UNUSED}"""
_OF_STAGES = "stage_id IN (SELECT id FROM stages WHERE job_id = :id)"


def bury(connection: Connection, job_id: str) -> None:
    """Final -> deleted: what the job's own rows say of its contents is gone at once.

    What is stored in bulk (results, attempts, chunks, stages) is erased by `erase_batch`, and can
    neither be read nor reused any more.
    """
    usage_hours.book_ended(connection, job_id=job_id)  # what it took outlives what it made
    values = {"id": job_id}
    connection.execute(
        text("""UPDATE jobs SET deleted_at = clock_timestamp(), goal = NULL, given_plan = NULL,
            output = NULL, models = '{}', labels = '{}', status_reason = NULL, finishing = NULL,
            failures = NULL, pilot = NULL, carry = NULL, request_id = NULL, traceparent = NULL,
            webhook = NULL, result_table_id = NULL, coverage = coverage || '{"stages": {}}',
            error = CASE WHEN error IS NOT NULL
              THEN jsonb_build_object('code', error->'code', 'detail', 'Deleted.') END
          WHERE id = :id AND deleted_at IS NULL"""),
        values,
    )
    connection.execute(text("UPDATE events SET data = '{}' WHERE job_id = :id"), values)
    webhook_batches.forget(connection, job_id)  # waits for who makes deliveries of it now
    delivery_log.erase_of_job(connection, job_id)
    connection.execute(text("DELETE FROM plans WHERE job_id = :id"), values)
    connection.execute(text("DELETE FROM planning_calls WHERE job_id = :id"), values)
    connection.execute(text("DELETE FROM view_tokens WHERE job_id = :id"), values)
    connection.execute(
        text("""UPDATE idempotency_keys SET body = jsonb_build_object('id', body->'id')
          WHERE body->>'id' IN (:id, (SELECT id FROM batches WHERE job_id = :id))"""),
        values,
    )


def due(connection: Connection, limit: int) -> list[str]:
    """Return deleted jobs of which something may be left, the oldest first."""
    return list(
        connection.execute(
            text("""SELECT id FROM jobs WHERE deleted_at IS NOT NULL AND erased_at IS NULL
              ORDER BY deleted_at LIMIT :limit"""),
            {"limit": limit},
        ).scalars()
    )


def reopen(connection: Connection, from_s: float, to_s: float) -> int:
    """Look once more at jobs deleted `from_s` to `to_s` seconds ago; return how many.

    A planner or collector that had not heard of the end of the job may have written since.
    """
    return connection.execute(
        text("""UPDATE jobs SET erased_at = NULL WHERE erased_at IS NOT NULL
          AND deleted_at < clock_timestamp() - make_interval(secs => :from_s)
          AND deleted_at > clock_timestamp() - make_interval(secs => :to_s)"""),
        {"from_s": from_s, "to_s": to_s},
    ).rowcount


def erase_batch(connection: Connection, job_id: str, *, rows: int, chunks: int) -> int:
    """Delete up to `rows` results, attempts, shards or keys, or `chunks` chunks; 0 for none left.

    The job's tables must be marked before (`mark_tables`).
    """
    gone = trigger_deliveries.erase_of_job(connection, job_id, rows)
    if gone:
        return gone
    for table in ("results", "attempts", "shards"):
        gone = connection.execute(
            text(f"""DELETE FROM {table} WHERE ctid = ANY(ARRAY(
              SELECT ctid FROM {table} WHERE {_OF_STAGES} LIMIT :rows))"""),
            {"id": job_id, "rows": rows},
        ).rowcount
        if gone:
            return gone
    parts = (("table_chunks", chunks), ("stream_batches", chunks), ("stream_keys", rows))
    for table, most in parts:
        gone = connection.execute(
            text(f"""DELETE FROM {table} WHERE ctid = ANY(ARRAY(
              SELECT c.ctid FROM {table} c JOIN tables t ON t.id = c.table_id
              WHERE t.status = 'erased' AND t.id IN (SELECT id FROM tables WHERE job_id = :id
                UNION SELECT table_id FROM job_inputs WHERE job_id = :id) AND {_UNUSED}
              LIMIT :most))"""),
            {"id": job_id, "most": most},
        ).rowcount
        if gone:
            return gone
    return 0


def mark_tables(connection: Connection, job_id: str) -> None:
    """-> erased for every table that only this job used; no job can be made of them any more."""
    values = {"id": job_id}
    connection.execute(
        text(f"SELECT 1 FROM tables t WHERE {_ITS_OWN} ORDER BY t.id FOR UPDATE"), values
    )
    connection.execute(  # looked at again: a job may have been made of one while we waited
        text(f"""UPDATE tables t SET status = 'erased', name = '', columns = '[]', key = NULL,
            statistics = NULL, sample = NULL, report = NULL, content_hash = NULL
          WHERE t.status <> 'erased' AND {_ITS_OWN}"""),
        values,
    )


def close(connection: Connection, job_id: str) -> None:
    """Drop the emptied rows: stages, inputs, tables; only the tombstone is left."""
    values = {"id": job_id}
    connection.execute(text("DELETE FROM stages WHERE job_id = :id"), values)
    used = list(
        connection.execute(
            text("DELETE FROM job_inputs WHERE job_id = :id RETURNING table_id"), values
        ).scalars()
    )
    connection.execute(
        text("""DELETE FROM tables t WHERE t.status = 'erased' AND t.job_id IS NOT NULL
          AND (t.job_id = :id OR t.id = ANY(:used))
          AND NOT EXISTS (SELECT 1 FROM job_inputs i WHERE i.table_id = t.id)"""),
        {**values, "used": used},
    )
    connection.execute(text("UPDATE jobs SET erased_at = clock_timestamp() WHERE id = :id"), values)
