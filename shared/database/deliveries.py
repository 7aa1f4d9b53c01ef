"""Deliveries of webhooks: what is due, who sends it, and what became of every try."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json
from shared.database.webhook_endpoints import DISABLED
from shared.domain.ids import new_id


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One event for one endpoint; `body` is the exact text that is signed and sent."""

    project_id: str
    endpoint_id: str
    event_id: str
    type: str
    body: str
    job_id: str | None = None
    request_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under lease, with all that is needed to send it."""

    id: str
    fence: int
    project_id: str
    endpoint_id: str
    event_id: str
    type: str
    body: str
    request_id: str | None
    traceparent: str | None
    tries: int
    url: str | None  # None: the endpoint was deleted
    disabled: bool
    sealed: tuple[str, ...]  # the secrets that sign now, the newest first
    now: datetime  # by the database's clock


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one try went; `error` None is a success."""

    started_at: datetime
    duration_ms: int
    request: dict[str, Any]  # {url, headers}
    response_status: int | None
    response: dict[str, Any] | None  # {headers, body, truncated}
    error: dict[str, Any] | None


def insert(connection: Connection, made: NewDelivery, *, disabled: bool = False) -> str:
    """Write a delivery that is due now and return its id; once for each event and endpoint.

    For a disabled endpoint it is `skipped` at once, and can be sent again later.
    """
    delivery_id = new_id("dlv")
    connection.execute(
        text("""INSERT INTO deliveries (id, project_id, endpoint_id, job_id, event_id, type, body,
            request_id, traceparent, status, next_at, finished_at, error)
          VALUES (:id, :project_id, :endpoint_id, :job_id, :event_id, :type, :body,
            :request_id, :traceparent, CASE WHEN :disabled THEN 'skipped' ELSE 'pending' END,
            CASE WHEN NOT :disabled THEN clock_timestamp() END,
            CASE WHEN :disabled THEN clock_timestamp() END,
            CASE WHEN :disabled THEN CAST(:error AS jsonb) END)
          ON CONFLICT (endpoint_id, event_id) DO NOTHING"""),
        {
            "id": delivery_id, "project_id": made.project_id, "endpoint_id": made.endpoint_id,
            "job_id": made.job_id, "event_id": made.event_id, "type": made.type,
            "body": made.body, "request_id": made.request_id, "traceparent": made.traceparent,
            "disabled": disabled, "error": to_json(DISABLED),
        },
    )  # fmt: skip
    return delivery_id


def claim(
    connection: Connection, *, free: int, each: int, held: Mapping[str, int], lease_s: float
) -> list[Claimed]:
    """Lease up to `free` due deliveries, of one endpoint at most `each` less those in `held`.

    An endpoint that fails gets one at a time. First tries go before later ones. Endpoints are
    found one by one over the index, so that no backlog is read to find what lies behind it.
    """
    rows = connection.execute(
        text("""WITH RECURSIVE waiting(endpoint_id) AS (
            (SELECT endpoint_id FROM deliveries WHERE status = 'pending'
              ORDER BY endpoint_id LIMIT 1)
            UNION ALL
            SELECT (SELECT d.endpoint_id FROM deliveries d WHERE d.status = 'pending'
              AND d.endpoint_id > w.endpoint_id ORDER BY d.endpoint_id LIMIT 1)
            FROM waiting w WHERE w.endpoint_id IS NOT NULL),
          ranked AS (
            SELECT d.id, d.tries, d.next_at, row_number() OVER
                (PARTITION BY w.endpoint_id ORDER BY d.next_at, d.id) + coalesce(b.held, 0) AS nth,
              CASE WHEN e.failing_since IS NULL THEN :each ELSE 1 END AS most
            FROM waiting w
            LEFT JOIN webhook_endpoints e ON e.id = w.endpoint_id
            LEFT JOIN unnest(CAST(:endpoints AS text[]), CAST(:counts AS integer[]))
              AS b(endpoint_id, held) ON b.endpoint_id = w.endpoint_id
            CROSS JOIN LATERAL (SELECT id, tries, next_at FROM deliveries d
              WHERE d.endpoint_id = w.endpoint_id AND d.status = 'pending'
                AND d.next_at <= clock_timestamp() ORDER BY d.next_at LIMIT :each) d),
          chosen AS (SELECT id FROM ranked WHERE nth <= most
            ORDER BY tries > 0, next_at LIMIT :free),
          locked AS MATERIALIZED (SELECT id FROM deliveries
            WHERE id IN (SELECT id FROM chosen) AND status = 'pending'
              AND next_at <= clock_timestamp() FOR UPDATE SKIP LOCKED),
          claimed AS (UPDATE deliveries d SET fence = fence + 1,
              next_at = clock_timestamp() + make_interval(secs => :lease_s)
            FROM locked WHERE d.id = locked.id RETURNING d.*)
          SELECT c.id, c.fence, c.project_id, c.endpoint_id, c.event_id, c.type, c.body,
            c.request_id, c.traceparent, c.tries, e.url, e.disabled_at IS NOT NULL AS disabled,
            coalesce(e.secret, s.secret) AS secret,
            CASE WHEN e.secret IS NULL THEN s.former_secret ELSE e.former_secret END AS former,
            coalesce(CASE WHEN e.secret IS NULL THEN s.former_until ELSE e.former_until END
              > clock_timestamp(), false) AS former_signs, clock_timestamp() AS now
          FROM claimed c LEFT JOIN webhook_endpoints e ON e.id = c.endpoint_id
            LEFT JOIN webhook_secrets s ON s.project_id = c.project_id ORDER BY c.next_at, c.id"""),
        {"free": free, "each": each, "lease_s": lease_s, "endpoints": list(held),
         "counts": list(held.values())},
    ).mappings()  # fmt: skip
    return [_claimed(row) for row in rows]


def _claimed(row: Any) -> Claimed:
    kept = {name: row[name] for name in Claimed.__slots__ if name in row}
    found = (row["secret"], row["former"] if row["former_signs"] else None)
    return Claimed(**kept, sealed=tuple(one for one in found if one is not None))


def settle(
    connection: Connection, delivery_id: str, fence: int, attempt: Attempt, retry_in_s: float | None
) -> str | None:
    """Write how a try went; return the delivery's status, None when it is another one's by now.

    A failed one is due again in `retry_in_s`; None: it is given up.
    """
    status = "succeeded" if attempt.error is None else "failed"
    if attempt.error is not None and retry_in_s is not None:
        status = "pending"
    number = connection.execute(
        text("""UPDATE deliveries SET status = :status, fence = fence + 1, tries = tries + 1,
            attempts = attempts + 1, response_status = :response_status,
            error = CAST(:error AS jsonb),
            next_at = CASE WHEN :pending THEN clock_timestamp()
              + make_interval(secs => :retry_in_s) END,
            finished_at = CASE WHEN NOT :pending THEN clock_timestamp() END
          WHERE id = :id AND fence = :fence AND status = 'pending' RETURNING attempts"""),
        {"id": delivery_id, "fence": fence, "status": status, "pending": status == "pending",
         "retry_in_s": retry_in_s or 0.0, "response_status": attempt.response_status,
         "error": _json_or_null(attempt.error)},
    ).scalar_one_or_none()  # fmt: skip
    if number is None:
        return None
    connection.execute(
        text("""INSERT INTO delivery_attempts (delivery_id, number, started_at, duration_ms,
            request, response_status, response, error)
          VALUES (:id, :number, :started_at, :duration_ms, CAST(:request AS jsonb),
            :response_status, CAST(:response AS jsonb), CAST(:error AS jsonb))"""),
        {"id": delivery_id, "number": number, "started_at": attempt.started_at,
         "duration_ms": attempt.duration_ms, "request": to_json(attempt.request),
         "response_status": attempt.response_status,
         "response": _json_or_null(attempt.response), "error": _json_or_null(attempt.error)},
    )  # fmt: skip
    return status


def drop(
    connection: Connection, delivery_id: str, fence: int, status: str, error: Mapping[str, Any]
) -> None:
    """End a delivery that cannot be sent, as `skipped` or `cancelled`."""
    connection.execute(
        text("""UPDATE deliveries SET status = :status, fence = fence + 1, next_at = NULL,
            finished_at = clock_timestamp(), error = CAST(:error AS jsonb)
          WHERE id = :id AND fence = :fence AND status = 'pending'"""),
        {"id": delivery_id, "fence": fence, "status": status, "error": to_json(error)},
    )


def _json_or_null(value: Any) -> str | None:
    return None if value is None else to_json(value)
