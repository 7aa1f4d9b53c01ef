"""API keys and the projects they belong to; only hashes of secrets are stored."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_FIELDS = """id, project_id, name, key_hash, scopes, created_at, expires_at, last_used_at,
  revoked_at"""


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


def insert(
    connection: Connection, key_id: str, project_id: str, name: str, key_hash: str,
    scopes: tuple[str, ...], expires_at: datetime | None,
) -> None:  # fmt: skip
    """Store a new key."""
    connection.execute(
        text("""INSERT INTO api_keys (id, project_id, name, key_hash, scopes, expires_at)
          VALUES (:id, :project_id, :name, :key_hash, :scopes, :expires_at)"""),
        {"id": key_id, "project_id": project_id, "name": name, "key_hash": key_hash,
         "scopes": list(scopes), "expires_at": expires_at},
    )  # fmt: skip


def find_live(connection: Connection, key_hash: str) -> KeyRecord | None:
    """Return the key with this hash unless it is revoked or, by the database's clock, expired."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM api_keys WHERE key_hash = :key_hash AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > clock_timestamp())"""),
        {"key_hash": key_hash},
    ).mappings().one_or_none()  # fmt: skip
    return KeyRecord(**{**row, "scopes": tuple(row["scopes"])}) if row else None


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


def find_project(connection: Connection, name: str) -> str | None:
    """Return the id of the project of this name."""
    found: str | None = connection.execute(
        text("SELECT id FROM projects WHERE name = :name"), {"name": name}
    ).scalar_one_or_none()
    return found


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
