"""Results: one row per settled unit and replica, written once (see `shards.settle`)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class UnitRows:
    """The output rows of one succeeded unit."""

    unit: int
    rows: list[dict[str, Any]]


def succeeded_after(
    connection: Connection, stage_id: int, after_unit: int, limit: int
) -> list[UnitRows]:
    """Return succeeded units above `after_unit` in unit order."""
    found = connection.execute(
        text("""SELECT unit, output FROM results WHERE stage_id = :stage_id AND replica = 0
          AND unit > :after AND outcome = 'succeeded' ORDER BY unit LIMIT :limit"""),
        {"stage_id": stage_id, "after": after_unit, "limit": limit},
    )
    return [UnitRows(row.unit, row.output or []) for row in found]


def failed_after(connection: Connection, stage_id: int, after_unit: int, limit: int) -> list[int]:
    """Return units above `after_unit` that settled without success, ascending."""
    return list(
        connection.execute(
            text("""SELECT unit FROM results WHERE stage_id = :stage_id AND replica = 0
              AND unit > :after AND outcome <> 'succeeded' ORDER BY unit LIMIT :limit"""),
            {"stage_id": stage_id, "after": after_unit, "limit": limit},
        ).scalars()
    )


def reusable(
    connection: Connection, project_id: str, hashes: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return unit hash (hex) -> output rows of a succeeded result of this project."""
    found = connection.execute(
        text("""SELECT DISTINCT ON (r.unit_hash) encode(r.unit_hash, 'hex') AS hash, r.output
          FROM unnest(CAST(:hashes AS text[])) h JOIN results r ON r.unit_hash = decode(h, 'hex')
          JOIN stages t ON t.id = r.stage_id JOIN jobs j ON j.id = t.job_id
          WHERE r.outcome = 'succeeded' AND r.replica = 0 AND j.project_id = :project_id
            AND j.deleted_at IS NULL"""),
        {"hashes": hashes, "project_id": project_id},
    )
    return {row.hash: row.output or [] for row in found}


@dataclass(frozen=True, slots=True)
class Known:
    """How equal work ended in another job."""

    outcome: str
    code: str | None
    detail: str | None
    output: list[dict[str, Any]] | None


def good_of_job(connection: Connection, job_id: str, hashes: list[str]) -> dict[str, Known]:
    """Return unit hash (hex) -> succeeded result of one job, unless it was deleted."""
    return _of_job(connection, job_id, hashes, "r.outcome = 'succeeded'")


def bad_of_job(connection: Connection, job_id: str, hashes: list[str]) -> dict[str, Known]:
    """Return unit hash (hex) -> how a unit of one job ended without success."""
    return _of_job(connection, job_id, hashes, "r.outcome <> 'succeeded'")


def has_failed(connection: Connection, job_id: str, code: str) -> bool:
    """Return True when some unit of a job ended without success and with this code."""
    return bool(
        connection.execute(
            text("""SELECT EXISTS (SELECT 1 FROM results r JOIN stages t ON t.id = r.stage_id
              WHERE t.job_id = :job_id AND r.replica = 0 AND r.outcome <> 'succeeded'
              AND r.code = :code)"""),
            {"job_id": job_id, "code": code},
        ).scalar_one()
    )


def _of_job(
    connection: Connection, job_id: str, hashes: list[str], condition: str
) -> dict[str, Known]:
    found = connection.execute(
        text(f"""SELECT DISTINCT ON (r.unit_hash) encode(r.unit_hash, 'hex') AS hash, r.outcome,
            r.code, r.detail, r.output
          FROM unnest(CAST(:hashes AS text[])) h JOIN results r ON r.unit_hash = decode(h, 'hex')
          JOIN stages t ON t.id = r.stage_id JOIN jobs j ON j.id = t.job_id
          WHERE {condition} AND r.replica = 0 AND j.id = :job_id AND j.deleted_at IS NULL
          ORDER BY r.unit_hash, r.stage_id, r.unit"""),
        {"hashes": hashes, "job_id": job_id},
    )
    return {row.hash: Known(row.outcome, row.code, row.detail, row.output) for row in found}


def failure_clusters(connection: Connection, job_id: str, limit: int = 100) -> list[dict[str, Any]]:
    """Return failed units by stage, code and wording (digits aside), the largest cluster first.

    What models say they miss is one cluster per stage: each says it in words of its own.
    """
    found = connection.execute(
        text("""SELECT t.name AS stage, r.outcome, r.code,
            CASE WHEN r.code = 'missing_context' THEN r.code ELSE
              regexp_replace(left(coalesce(r.detail, ''), 200), '[0-9]+', '#', 'g')
            END AS signature,
            count(*) AS count, min(r.unit) AS sample_unit, min(left(r.detail, 500)) AS sample
          FROM results r JOIN stages t ON t.id = r.stage_id
          WHERE t.job_id = :job_id AND r.replica = 0 AND r.outcome <> 'succeeded'
          GROUP BY 1, 2, 3, 4 ORDER BY count(*) DESC, 1, 3 LIMIT :limit"""),
        {"job_id": job_id, "limit": limit},
    ).mappings()
    return [dict(row) for row in found]
