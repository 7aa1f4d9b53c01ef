"""Answers that were given under an `Idempotency-Key`, kept for 24 hours."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json

KEPT_H = 24


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first request of a key was and what it was answered."""

    request_hash: str
    status: int
    location: str | None
    body: dict[str, Any]


def find(connection: Connection, project_id: str, key: str) -> StoredAnswer | None:
    """Return the answer stored under the key, unless it is older than 24 hours."""
    row = connection.execute(
        text("""SELECT request_hash, status, location, body FROM idempotency_keys
          WHERE project_id = :project_id AND key = :key
          AND created_at > clock_timestamp() - make_interval(hours => :kept)"""),
        {"project_id": project_id, "key": key, "kept": KEPT_H},
    ).mappings().one_or_none()  # fmt: skip
    return StoredAnswer(**row) if row else None


def take(connection: Connection, project_id: str, key: str) -> bool:
    """Hold the key until the transaction ends; False while another transaction holds it."""
    return bool(
        connection.execute(
            text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 4027002))"),
            {"name": f"{project_id} {key}"},
        ).scalar_one()
    )


def insert(connection: Connection, project_id: str, key: str, answer: StoredAnswer) -> bool:
    """Store an answer over an outdated one; False when the key has a live answer already."""
    return connection.execute(
        text("""INSERT INTO idempotency_keys AS kept
            (project_id, key, request_hash, status, location, body)
          VALUES (:project_id, :key, :request_hash, :status, :location, CAST(:body AS jsonb))
          ON CONFLICT (project_id, key) DO UPDATE SET request_hash = excluded.request_hash,
            status = excluded.status, location = excluded.location, body = excluded.body,
            created_at = clock_timestamp()
          WHERE kept.created_at <= clock_timestamp() - make_interval(hours => :kept)"""),
        {"project_id": project_id, "key": key, "request_hash": answer.request_hash,
         "status": answer.status, "location": answer.location, "body": to_json(answer.body),
         "kept": KEPT_H},
    ).rowcount == 1  # fmt: skip


def sweep(connection: Connection, older_than_s: float = KEPT_H * 3_600, limit: int = 10_000) -> int:
    """Delete up to `limit` answers of that age; return how many."""
    return connection.execute(
        text("""DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM idempotency_keys
          WHERE created_at <= clock_timestamp() - make_interval(secs => :age) LIMIT :limit))"""),
        {"age": older_than_s, "limit": limit},
    ).rowcount
