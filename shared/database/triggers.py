"""Triggers of a project: who may post to /hooks, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json

_FIELDS = """id, project_id, name, enabled, scheme, options, secret, former_secret, former_until,
  rotated_at, conditions, target, prepared, jobs_per_hour, microusd_per_day, created_at,
  updated_at"""


@dataclass(frozen=True, slots=True)
class TriggerRecord:
    """One trigger; `secret` and `former_secret` are sealed (shared/secret_box.py)."""

    id: str
    project_id: str
    name: str
    enabled: bool
    scheme: str
    options: dict[str, Any]
    secret: str
    former_secret: str | None
    former_until: datetime | None
    rotated_at: datetime | None
    conditions: list[dict[str, Any]]
    target: dict[str, Any]  # job and mapping, or records: as the client wrote them
    prepared: dict[str, Any] | None  # the job checked; see shared/actions/trigger_job.py
    jobs_per_hour: int | None
    microusd_per_day: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TriggerFacts:
    """What a client may set of a trigger, apart from its secret."""

    name: str
    enabled: bool
    scheme: str
    options: dict[str, Any]
    conditions: list[dict[str, Any]]
    target: dict[str, Any]
    prepared: dict[str, Any] | None
    jobs_per_hour: int | None
    microusd_per_day: int | None


def insert(
    connection: Connection, trigger_id: str, project_id: str, facts: TriggerFacts, sealed: str
) -> TriggerRecord:
    """Write a new trigger."""
    row = connection.execute(
        text(f"""INSERT INTO triggers (id, project_id, name, enabled, scheme, options, secret,
            conditions, target, prepared, jobs_per_hour, microusd_per_day)
          VALUES (:id, :project_id, :name, :enabled, :scheme, CAST(:options AS jsonb), :secret,
            CAST(:conditions AS jsonb), CAST(:target AS jsonb), CAST(:prepared AS jsonb),
            :jobs_per_hour, :microusd_per_day)
          RETURNING {_FIELDS}"""),
        {"id": trigger_id, "project_id": project_id, "secret": sealed, **_values(facts)},
    ).mappings().one()  # fmt: skip
    return TriggerRecord(**row)


def update(connection: Connection, trigger_id: str, facts: TriggerFacts) -> TriggerRecord:
    """Replace what a client may set; the caller holds the row."""
    row = connection.execute(
        text(f"""UPDATE triggers SET name = :name, enabled = :enabled, scheme = :scheme,
            options = CAST(:options AS jsonb), conditions = CAST(:conditions AS jsonb),
            target = CAST(:target AS jsonb), prepared = CAST(:prepared AS jsonb),
            jobs_per_hour = :jobs_per_hour, microusd_per_day = :microusd_per_day,
            updated_at = clock_timestamp()
          WHERE id = :id RETURNING {_FIELDS}"""),
        {"id": trigger_id, **_values(facts)},
    ).mappings().one()  # fmt: skip
    return TriggerRecord(**row)


def rotate(connection: Connection, trigger_id: str, sealed: str, overlap_s: float) -> TriggerRecord:
    """Set another secret; the one before holds for `overlap_s` seconds more."""
    row = connection.execute(
        text(f"""UPDATE triggers SET secret = :secret,
            former_secret = CASE WHEN :overlap > 0 THEN secret END,
            former_until = CASE WHEN :overlap > 0
              THEN clock_timestamp() + make_interval(secs => :overlap) END,
            rotated_at = clock_timestamp(), updated_at = clock_timestamp()
          WHERE id = :id RETURNING {_FIELDS}"""),
        {"id": trigger_id, "secret": sealed, "overlap": overlap_s},
    ).mappings().one()  # fmt: skip
    return TriggerRecord(**row)


def find(
    connection: Connection, trigger_id: str, project_id: str | None = None
) -> TriggerRecord | None:
    """Return the trigger; with `project_id` only when it belongs to that project."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM triggers WHERE id = :id
          AND (CAST(:project_id AS text) IS NULL OR project_id = :project_id)"""),
        {"id": trigger_id, "project_id": project_id},
    ).mappings().one_or_none()  # fmt: skip
    return TriggerRecord(**row) if row else None


def lock(connection: Connection, trigger_id: str) -> TriggerRecord | None:
    """Return the trigger, locked until the transaction ends; deliveries can still be stored."""
    row = connection.execute(
        text(f"SELECT {_FIELDS} FROM triggers WHERE id = :id FOR NO KEY UPDATE"),
        {"id": trigger_id},
    ).mappings().one_or_none()  # fmt: skip
    return TriggerRecord(**row) if row else None


def count(connection: Connection, project_id: str) -> int:
    """Return how many triggers the project has."""
    return int(
        connection.execute(
            text("SELECT count(*) FROM triggers WHERE project_id = :id"), {"id": project_id}
        ).scalar_one()
    )


def page(
    connection: Connection, project_id: str, *, before: str | None, limit: int
) -> Sequence[TriggerRecord]:
    """Return up to `limit` triggers with ids below `before`, newest first."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM triggers WHERE project_id = :project_id
          AND (CAST(:before AS text) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit"""),
        {"project_id": project_id, "before": before, "limit": limit},
    ).mappings()
    return [TriggerRecord(**row) for row in rows]


def delete(connection: Connection, trigger_id: str) -> bool:
    """Delete a trigger with all that was posted to it; its jobs stay."""
    connection.execute(
        text("""UPDATE idempotency_keys SET body = jsonb_build_object('id', body->'id')
          WHERE body->>'id' = :id"""),
        {"id": trigger_id},
    )
    return (
        connection.execute(text("DELETE FROM triggers WHERE id = :id"), {"id": trigger_id}).rowcount
        == 1
    )


def jobs_last_hour(connection: Connection, trigger_id: str) -> int:
    """Return how many jobs the trigger started within the last hour, by the database's clock."""
    return int(
        connection.execute(
            text("""SELECT count(*) FROM jobs WHERE trigger_id = :id
              AND created_at > clock_timestamp() - interval '1 hour'"""),
            {"id": trigger_id},
        ).scalar_one()
    )


def microusd_last_day(connection: Connection, trigger_id: str) -> int:
    """Return what jobs it started within the last day spent, may have spent, and have reserved."""
    return int(
        connection.execute(
            text("""SELECT coalesce(sum(a.spent_microusd + a.unknown_microusd
                + a.reserved_microusd), 0)::bigint
              FROM jobs j JOIN spend_accounts a ON a.job_id = j.id WHERE j.trigger_id = :id
                AND j.created_at > clock_timestamp() - interval '1 day'"""),
            {"id": trigger_id},
        ).scalar_one()
    )


def _values(facts: TriggerFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "enabled": facts.enabled,
        "scheme": facts.scheme,
        "options": to_json(facts.options),
        "conditions": to_json(facts.conditions),
        "target": to_json(facts.target),
        "prepared": None if facts.prepared is None else to_json(facts.prepared),
        "jobs_per_hour": facts.jobs_per_hour,
        "microusd_per_day": facts.microusd_per_day,
    }
