"""The secret of a project that signs the webhooks of its jobs; sealed, never in the open."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_FIELDS = "project_id, secret, former_secret, former_until, created_at, rotated_at"


@dataclass(frozen=True, slots=True)
class SecretRecord:
    """The sealed secret of a project; `former_secret` signs too until `former_until`."""

    project_id: str
    secret: str
    former_secret: str | None
    former_until: datetime | None
    created_at: datetime
    rotated_at: datetime | None


def find(connection: Connection, project_id: str) -> SecretRecord | None:
    """Return the project's secret; None before its first use."""
    row = connection.execute(
        text(f"SELECT {_FIELDS} FROM webhook_secrets WHERE project_id = :id"), {"id": project_id}
    ).mappings().one_or_none()  # fmt: skip
    return SecretRecord(**row) if row else None


def insert(connection: Connection, project_id: str, secret: str) -> None:
    """Store the first secret of a project, unless another request just did."""
    connection.execute(
        text("""INSERT INTO webhook_secrets (project_id, secret) VALUES (:id, :secret)
          ON CONFLICT (project_id) DO NOTHING"""),
        {"id": project_id, "secret": secret},
    )


def rotate(connection: Connection, project_id: str, secret: str, overlap_s: float) -> SecretRecord:
    """Put a new sealed secret in place; the former one signs too for `overlap_s` (0: no more)."""
    row = connection.execute(
        text(f"""INSERT INTO webhook_secrets (project_id, secret) VALUES (:id, :secret)
          ON CONFLICT (project_id) DO UPDATE SET rotated_at = clock_timestamp(),
            former_secret = CASE WHEN :overlap > 0 THEN webhook_secrets.secret END,
            former_until = CASE WHEN :overlap > 0
              THEN clock_timestamp() + make_interval(secs => :overlap) END,
            secret = excluded.secret
          RETURNING {_FIELDS}"""),
        {"id": project_id, "secret": secret, "overlap": overlap_s},
    ).mappings().one()  # fmt: skip
    return SecretRecord(**row)
