"""What senders posted to triggers: stored before it is answered, worked off once each.

pending -> accepted (a job was made, or records appended), ignored, held or failed; held, failed and
ignored ones go back to pending when they are replayed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json

STATUSES = ("pending", "accepted", "ignored", "held", "failed")
_FIELDS = """d.id, d.trigger_id, d.sender_id, d.status, d.size_bytes, d.reason, d.job_id,
  d.records, d.replay_of, d.forced, d.tries, d.received_at, d.settled_at, d.erased_at"""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One delivery without what was posted."""

    id: str
    trigger_id: str
    sender_id: str | None  # what the sender calls it; erased with the event
    status: str
    size_bytes: int
    reason: dict[str, Any] | None  # {code, detail} of what is held, failed, ignored, tried again
    job_id: str | None
    records: dict[str, int] | None  # {accepted, duplicates, rejected} of a stream job
    replay_of: str | None
    forced: bool  # replayed: no limit holds it
    tries: int
    received_at: datetime
    settled_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class RawEvent:
    """What was posted; headers by names in lower case, without secrets."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until its claim ends; `claim` must still be its own when it ends."""

    delivery: DeliveryRecord
    event: RawEvent
    claim: str


def insert(
    connection: Connection, delivery_id: str, trigger_id: str, *, dedup: str,
    sender_id: str | None, event: RawEvent, ignored: dict[str, Any] | None = None,
    replay_of: str | None = None,
) -> bool:  # fmt: skip
    """Store what was posted, to be worked or `ignored`.

    False when it is there already, and when the trigger was deleted.
    """
    return connection.execute(
        text("""INSERT INTO trigger_deliveries (id, trigger_id, dedup, sender_id, status, headers,
            body, size_bytes, reason, replay_of, forced, settled_at)
          SELECT :id, t.id, :dedup, :sender_id, :status, CAST(:headers AS jsonb), :body,
            :size, CAST(:reason AS jsonb), :replay_of, CAST(:replay_of AS text) IS NOT NULL,
            CASE WHEN :status = 'ignored' THEN clock_timestamp() END
          FROM triggers t WHERE t.id = :trigger_id FOR KEY SHARE
          ON CONFLICT (trigger_id, dedup) DO NOTHING"""),
        {
            "id": delivery_id, "trigger_id": trigger_id, "dedup": dedup, "sender_id": sender_id,
            "status": "pending" if ignored is None else "ignored",
            "headers": to_json(event.headers), "body": event.body, "size": len(event.body),
            "reason": None if ignored is None else to_json(ignored), "replay_of": replay_of,
        },
    ).rowcount == 1  # fmt: skip


def find_by_dedup(connection: Connection, trigger_id: str, dedup: str) -> DeliveryRecord | None:
    """Return the first delivery of this kind."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM trigger_deliveries d
          WHERE d.trigger_id = :trigger_id AND d.dedup = :dedup"""),
        {"trigger_id": trigger_id, "dedup": dedup},
    ).mappings().one_or_none()  # fmt: skip
    return DeliveryRecord(**row) if row else None


def find(connection: Connection, trigger_id: str, delivery_id: str) -> DeliveryRecord | None:
    """Return a delivery of the trigger."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM trigger_deliveries d
          WHERE d.id = :id AND d.trigger_id = :trigger_id"""),
        {"id": delivery_id, "trigger_id": trigger_id},
    ).mappings().one_or_none()  # fmt: skip
    return DeliveryRecord(**row) if row else None


def lock(connection: Connection, trigger_id: str, delivery_id: str) -> DeliveryRecord | None:
    """Return a delivery of the trigger with its row locked until the transaction ends."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM trigger_deliveries d
          WHERE d.id = :id AND d.trigger_id = :trigger_id FOR UPDATE"""),
        {"id": delivery_id, "trigger_id": trigger_id},
    ).mappings().one_or_none()  # fmt: skip
    return DeliveryRecord(**row) if row else None


def event_of(connection: Connection, delivery_id: str) -> RawEvent | None:
    """Return what was posted; None once it is erased, or its job is deleted."""
    row = connection.execute(
        text("""SELECT headers, body FROM trigger_deliveries d WHERE id = :id AND erased_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = d.job_id AND j.deleted_at IS NOT NULL)
          """),
        {"id": delivery_id},
    ).one_or_none()
    return None if row is None else RawEvent(dict(row.headers), bytes(row.body))


def page(
    connection: Connection, trigger_id: str, *, status: str | None, before: str | None, limit: int
) -> Sequence[DeliveryRecord]:
    """Return up to `limit` deliveries with ids below `before`, newest first."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM trigger_deliveries d WHERE d.trigger_id = :trigger_id
          AND (CAST(:status AS text) IS NULL OR d.status = :status)
          AND (CAST(:before AS text) IS NULL OR d.id < :before) ORDER BY d.id DESC LIMIT :limit"""),
        {"trigger_id": trigger_id, "status": status, "before": before, "limit": limit},
    ).mappings()
    return [DeliveryRecord(**row) for row in rows]


def claim_one(connection: Connection, claim: str, lease_s: float) -> Claimed | None:
    """Take a delivery that is due and nobody's; who dies with it loses it after `lease_s`."""
    row = connection.execute(
        text(f"""UPDATE trigger_deliveries d SET claim = :claim, tries = d.tries + 1,
            claimed_until = clock_timestamp() + make_interval(secs => :lease_s)
          WHERE d.id = (SELECT id FROM trigger_deliveries WHERE status = 'pending'
            AND due_at <= clock_timestamp()
            AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
            ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
          RETURNING {_FIELDS}, d.headers, d.body"""),
        {"claim": claim, "lease_s": lease_s},
    ).mappings().one_or_none()  # fmt: skip
    if row is None:
        return None
    values = dict(row)
    event = RawEvent(values.pop("headers"), bytes(values.pop("body")))
    return Claimed(DeliveryRecord(**values), event, claim)


def settle(
    connection: Connection, claimed: Claimed, status: str, *, job_id: str | None = None,
    records: dict[str, int] | None = None, reason: dict[str, Any] | None = None,
) -> bool:  # fmt: skip
    """pending -> accepted, ignored, held or failed; False when it is no longer this claim's."""
    return connection.execute(
        text("""UPDATE trigger_deliveries SET status = :status, job_id = :job_id,
            records = CAST(:records AS jsonb), reason = CAST(:reason AS jsonb), claim = NULL,
            claimed_until = NULL, settled_at = clock_timestamp()
          WHERE id = :id AND status = 'pending' AND claim = :claim"""),
        {"id": claimed.delivery.id, "claim": claimed.claim, "status": status, "job_id": job_id,
         "records": None if records is None else to_json(records),
         "reason": None if reason is None else to_json(reason)},
    ).rowcount == 1  # fmt: skip


def put_off(
    connection: Connection, claimed: Claimed, reason: dict[str, Any], wait_s: float, tries: int
) -> None:
    """Let it be tried again after `wait_s` seconds; `tries` is how many count so far."""
    connection.execute(
        text("""UPDATE trigger_deliveries SET claim = NULL, claimed_until = NULL, tries = :tries,
            reason = CAST(:reason AS jsonb),
            due_at = clock_timestamp() + make_interval(secs => :wait_s)
          WHERE id = :id AND status = 'pending' AND claim = :claim"""),
        {"id": claimed.delivery.id, "claim": claimed.claim, "reason": to_json(reason),
         "wait_s": wait_s, "tries": tries},
    )  # fmt: skip


def replay(connection: Connection, delivery_id: str) -> bool:
    """held, failed or ignored -> pending, and no limit holds it; False for another state."""
    return connection.execute(
        text("""UPDATE trigger_deliveries SET status = 'pending', forced = true, reason = NULL,
            tries = 0, settled_at = NULL, due_at = clock_timestamp()
          WHERE id = :id AND status IN ('held', 'failed', 'ignored') AND erased_at IS NULL"""),
        {"id": delivery_id},
    ).rowcount == 1  # fmt: skip


def erase_of_job(connection: Connection, job_id: str, rows: int) -> int:
    """Erase up to `rows` events that a deleted job was made of, or was fed; 0 for none left."""
    return _erase(connection, "job_id = :job_id", {"job_id": job_id, "rows": rows})


def erase_old(connection: Connection, keep_s: float, rows: int) -> int:
    """Erase up to `rows` events received longer ago; that they came, and their hash, stay."""
    old = "received_at < clock_timestamp() - make_interval(secs => :keep) AND status <> 'pending'"
    return _erase(connection, old, {"keep": keep_s, "rows": rows})


def _erase(connection: Connection, which: str, values: dict[str, Any]) -> int:
    return connection.execute(
        text(f"""UPDATE trigger_deliveries SET headers = '{{}}', body = '', sender_id = NULL,
            erased_at = clock_timestamp(), reason = CASE WHEN reason IS NOT NULL
              THEN jsonb_build_object('code', reason->'code', 'detail', 'Erased.') END
          WHERE id = ANY(ARRAY(SELECT id FROM trigger_deliveries
            WHERE erased_at IS NULL AND {which} LIMIT :rows FOR UPDATE SKIP LOCKED))"""),
        values,
    ).rowcount  # fmt: skip
