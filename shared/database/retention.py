"""What is past its time: final jobs, and the raw answers of models."""

from collections.abc import Sequence

from sqlalchemy import Connection, text


def outlived(connection: Connection, keep_s: float, limit: int) -> Sequence[tuple[str, str]]:
    """Lock and return (job, project) of final jobs older than `keep_s`, the oldest first.

    One that a job under way was made from is left until that one is final.
    """
    rows = connection.execute(
        text("""SELECT id, project_id FROM jobs j WHERE finished_at IS NOT NULL
            AND deleted_at IS NULL
            AND finished_at < clock_timestamp() - make_interval(secs => :keep)
            AND NOT EXISTS (SELECT 1 FROM jobs o WHERE j.id IN (o.retry_of, o.forked_from)
              AND o.status NOT IN ('succeeded', 'partial', 'failed', 'cancelled'))
          ORDER BY finished_at LIMIT :limit FOR UPDATE SKIP LOCKED"""),
        {"keep": keep_s, "limit": limit},
    )
    return [(row.id, row.project_id) for row in rows]


def forget_raw(connection: Connection, keep_s: float, rows: int) -> int:
    """Erase up to `rows` raw answers of attempts and of planners of final jobs; 0 for none left.

    Outcomes, codes and details stay.
    """
    values = {"keep": keep_s, "rows": rows}
    forgotten = connection.execute(
        text("""UPDATE attempts SET raw = NULL, raw_erased = true
          WHERE id = ANY(ARRAY(SELECT id FROM attempts
          WHERE raw IS NOT NULL AND ended_at < clock_timestamp() - make_interval(secs => :keep)
          ORDER BY ended_at LIMIT :rows FOR UPDATE SKIP LOCKED))"""),
        values,
    ).rowcount
    if forgotten:
        return forgotten
    return connection.execute(
        text("""DELETE FROM planning_calls WHERE ctid = ANY(ARRAY(SELECT c.ctid
          FROM planning_calls c JOIN jobs j ON j.id = c.job_id WHERE j.finished_at IS NOT NULL
            AND c.created_at < clock_timestamp() - make_interval(secs => :keep) LIMIT :rows))"""),
        values,
    ).rowcount
