"""What happened to a job in one order: its events, and its shards as the collector noted them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class FeedState:
    """How far the numbers of a job go, and whether any will follow soon."""

    last_no: int
    final: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One entry: an event of the log, or (`type` is ``shard.done``) a noted shard.

    `no` rises by one from entry to entry of a job; a number once seen has none below it to come,
    since both kinds draw it under the job's row lock.
    """

    no: int
    type: str
    at: datetime
    id: str | None  # of an event
    actor: str
    data: dict[str, Any]


def state(connection: Connection, job_id: str) -> FeedState | None:
    """Return how the feed stands; read before `page`, a final job's page is its end."""
    row = connection.execute(
        text("""SELECT event_seq, finished_at IS NOT NULL AS final,
            deleted_at IS NOT NULL AS deleted FROM jobs WHERE id = :id"""),
        {"id": job_id},
    ).one_or_none()
    return FeedState(row.event_seq, row.final, row.deleted) if row else None


def page(connection: Connection, job_id: str, *, after: int, limit: int) -> list[FeedItem]:
    """Return entries numbered above `after`, in order: two short index scans, merged."""
    rows = connection.execute(
        text("""(SELECT seq AS no, type, created_at AS at, id, actor, data FROM events
            WHERE job_id = :job_id AND seq > :after ORDER BY seq LIMIT :limit)
          UNION ALL
          (SELECT s.event_no, 'shard.done', s.done_at, NULL, 'collector', jsonb_build_object(
              'stage', t.name, 'noted_no', s.noted_no, 'first_unit', s.first_unit,
              'last_unit', s.last_unit, 'units', s.unit_count, 'succeeded', s.succeeded,
              'failed', s.failed)
            FROM shards s JOIN stages t ON t.id = s.stage_id
            WHERE s.job_id = :job_id AND s.event_no > :after ORDER BY s.event_no LIMIT :limit)
          ORDER BY no LIMIT :limit"""),
        {"job_id": job_id, "after": after, "limit": limit},
    ).mappings()
    return [FeedItem(**row) for row in rows]
