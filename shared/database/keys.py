"""API keys and the projects they belong to; only hashes of secrets are stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

_FIELDS = """k.id, k.project_id, k.name, k.key_hash, k.scopes, k.created_at, k.expires_at,
  k.last_used_at, k.revoked_at, k.former_hash, k.former_until, k.rotated_at,
  k.requests_per_minute"""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key of a project; the secret itself was shown once and is nowhere."""

    id: str
    project_id: str
    name: str
    key_hash: str  # SHA-256 of the secret, hex
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None  # true to the minute
    revoked_at: datetime | None
    former_hash: str | None = None  # of the secret before the last rotation
    former_until: datetime | None = None  # which is taken until then
    rotated_at: datetime | None = None
    requests_per_minute: int | None = None  # None: the deployment's


@dataclass(frozen=True, slots=True)
class LiveKey:
    """A key that opens the door, with what its project may do."""

    key: KeyRecord
    matched: str  # which of its hashes was found
    project_quotas: dict[str, int]


def insert(
    connection: Connection, key_id: str, project_id: str, name: str, key_hash: str,
    scopes: tuple[str, ...], expires_at: datetime | None, requests_per_minute: int | None = None,
) -> None:  # fmt: skip
    """Store a new key."""
    connection.execute(
        text("""INSERT INTO api_keys
            (id, project_id, name, key_hash, scopes, expires_at, requests_per_minute)
          VALUES (:id, :project_id, :name, :key_hash, :scopes, :expires_at, :per_minute)"""),
        {"id": key_id, "project_id": project_id, "name": name, "key_hash": key_hash,
         "scopes": list(scopes), "expires_at": expires_at, "per_minute": requests_per_minute},
    )  # fmt: skip


def find_live(connection: Connection, key_hash: str) -> LiveKey | None:
    """Return the key with this hash unless it is revoked or, by the database's clock, expired.

    The hash of the secret before a rotation is good until its overlap is over.
    """
    row = connection.execute(
        text(f"""SELECT {_FIELDS}, p.quotas FROM api_keys k JOIN projects p ON p.id = k.project_id
          WHERE (k.key_hash = :key_hash
              OR (k.former_hash = :key_hash AND k.former_until > clock_timestamp()))
            AND k.revoked_at IS NULL
            AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())"""),
        {"key_hash": key_hash},
    ).mappings().one_or_none()  # fmt: skip
    if row is None:
        return None
    key = _record({name: value for name, value in row.items() if name != "quotas"})
    matched = key.key_hash if key.key_hash == key_hash else key.former_hash or ""
    return LiveKey(key, matched, row["quotas"])


def find(connection: Connection, key_id: str, project_id: str | None) -> KeyRecord | None:
    """Return a key, live or not; with `project_id` only when it is that project's."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM api_keys k WHERE k.id = :id
          AND (CAST(:project_id AS text) IS NULL OR k.project_id = :project_id)"""),
        {"id": key_id, "project_id": project_id},
    ).mappings().one_or_none()  # fmt: skip
    return _record(dict(row)) if row else None


def lock(connection: Connection, key_id: str, project_id: str | None) -> KeyRecord | None:
    """Return a key as `find` does, its row locked until the transaction ends."""
    connection.execute(text("SELECT 1 FROM api_keys WHERE id = :id FOR UPDATE"), {"id": key_id})
    return find(connection, key_id, project_id)


def page(
    connection: Connection, project_id: str, *, before: str | None, limit: int
) -> list[KeyRecord]:
    """Return a project's keys, newest first, with ids below `before`; ended ones too."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM api_keys k WHERE k.project_id = :project_id
          AND (CAST(:before AS text) IS NULL OR k.id < :before) ORDER BY k.id DESC LIMIT :limit"""),
        {"project_id": project_id, "before": before, "limit": limit},
    ).mappings()
    return [_record(dict(row)) for row in rows]


def rotate(connection: Connection, key_id: str, key_hash: str, overlap_s: float) -> bool:
    """Give a live key another secret; the one it had is taken for `overlap_s` more.

    One from before that ends at once. False when the key is revoked or expired.
    """
    return connection.execute(
        text("""UPDATE api_keys SET former_hash = CASE WHEN :overlap_s > 0 THEN key_hash END,
            former_until = CASE WHEN :overlap_s > 0
              THEN clock_timestamp() + make_interval(secs => :overlap_s) END,
            key_hash = :key_hash, rotated_at = clock_timestamp()
          WHERE id = :id AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > clock_timestamp())"""),
        {"id": key_id, "key_hash": key_hash, "overlap_s": overlap_s},
    ).rowcount == 1  # fmt: skip


def note_use(connection: Connection, key_id: str) -> None:
    """Write down that the key was used, at most once a minute."""
    connection.execute(
        text("""UPDATE api_keys SET last_used_at = clock_timestamp() WHERE id = :id
          AND (last_used_at IS NULL
            OR last_used_at < clock_timestamp() - interval '1 minute')"""),
        {"id": key_id},
    )


def revoke(connection: Connection, key_id: str, project_id: str) -> bool:
    """End a key at once; False when it is unknown, of another project or revoked already."""
    return connection.execute(
        text("""UPDATE api_keys SET revoked_at = clock_timestamp()
          WHERE id = :id AND project_id = :project_id AND revoked_at IS NULL"""),
        {"id": key_id, "project_id": project_id},
    ).rowcount == 1  # fmt: skip


def insert_project(connection: Connection, project_id: str, name: str) -> str:
    """Return the id of the project of this name; it is made if there is none."""
    connection.execute(
        text("""INSERT INTO projects (id, name) VALUES (:id, :name)
          ON CONFLICT (name) DO NOTHING"""),
        {"id": project_id, "name": name},
    )
    return str(
        connection.execute(
            text("SELECT id FROM projects WHERE name = :name"), {"name": name}
        ).scalar_one()
    )


def project_weight(connection: Connection, project_id: str) -> int:
    """Return how much of what is shared a project gets, against others'."""
    return int(
        connection.execute(
            text("SELECT weight FROM projects WHERE id = :id"), {"id": project_id}
        ).scalar_one()
    )


def allows_external(connection: Connection, project_id: str) -> bool:
    """Return True when the project may run capabilities with effects on the outside."""
    return bool(
        connection.execute(
            text("SELECT allow_external FROM projects WHERE id = :id"), {"id": project_id}
        ).scalar_one_or_none()
    )


def _record(row: dict[str, Any]) -> KeyRecord:
    return KeyRecord(**{**row, "scopes": tuple(row["scopes"])})
