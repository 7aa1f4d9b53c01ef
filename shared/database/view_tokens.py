"""Tokens that show one job to whoever has them; only their hashes are stored."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class ViewToken:
    """What a live token opens. It ends with its time, its job, and the key that made it."""

    id: str
    token_hash: str  # SHA-256, hex
    project_id: str
    job_id: str
    key_id: str | None
    expires_at: datetime


def insert(
    connection: Connection, token_id: str, token_hash: str, *, project_id: str, job_id: str,
    key_id: str | None, ttl_s: int,
) -> datetime:  # fmt: skip
    """Store a token and return when it ends, by the database's clock."""
    ends: datetime = connection.execute(
        text("""INSERT INTO view_tokens (id, token_hash, project_id, job_id, key_id, expires_at)
          VALUES (:id, :hash, :project_id, :job_id, :key_id,
            clock_timestamp() + make_interval(secs => :ttl_s)) RETURNING expires_at"""),
        {"id": token_id, "hash": token_hash, "project_id": project_id, "job_id": job_id,
         "key_id": key_id, "ttl_s": ttl_s},
    ).scalar_one()  # fmt: skip
    return ends


def find_live(connection: Connection, token_hash: str) -> ViewToken | None:
    """Return the token with this hash while it holds, and so does the key that made it."""
    row = connection.execute(
        text("""SELECT v.id, v.token_hash, v.project_id, v.job_id, v.key_id, v.expires_at
          FROM view_tokens v JOIN jobs j ON j.id = v.job_id AND j.deleted_at IS NULL
          LEFT JOIN api_keys k ON k.id = v.key_id
          WHERE v.token_hash = :hash AND v.expires_at > clock_timestamp()
            AND (v.key_id IS NULL OR (k.revoked_at IS NULL
              AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())))"""),
        {"hash": token_hash},
    ).mappings().one_or_none()  # fmt: skip
    return ViewToken(**row) if row else None


def sweep(connection: Connection) -> int:
    """Delete tokens past their time; return how many."""
    return connection.execute(
        text("DELETE FROM view_tokens WHERE expires_at < clock_timestamp()")
    ).rowcount
