"""Plans: immutable once written."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """One version of a job's plan with its lint findings and price."""

    job_id: str
    version: int
    engine: str  # given, direct, model or rules
    document: dict[str, Any]
    hash: str
    findings: list[dict[str, Any]]
    price: dict[str, Any]
    created_at: datetime


def insert(
    connection: Connection, job_id: str, version: int, *, engine: str, document: dict[str, Any],
    hash_: str, findings: list[dict[str, Any]], price: dict[str, Any], round_: int = 1,
) -> None:  # fmt: skip
    """Write a plan; the caller holds the job's row lock, so versions never collide."""
    connection.execute(
        text("""INSERT INTO plans (job_id, version, engine, document, hash, findings, price,
            round)
          VALUES (:job_id, :version, :engine, CAST(:document AS jsonb), :hash,
            CAST(:findings AS jsonb), CAST(:price AS jsonb), :round)"""),
        {
            "job_id": job_id, "version": version, "engine": engine,
            "document": to_json(document), "hash": hash_,
            "findings": to_json(findings), "price": to_json(price),
            "round": round_,
        },
    )  # fmt: skip


def find(connection: Connection, job_id: str, version: int | None = None) -> PlanRecord | None:
    """Return one version of a job's plan, the current one by default."""
    row = (
        connection.execute(
            text("""SELECT p.job_id, p.version, p.engine, p.document, p.hash, p.findings, p.price,
                p.created_at FROM plans p JOIN jobs j ON j.id = p.job_id
              WHERE p.job_id = :job_id AND p.version = coalesce(:version, j.plan_version)"""),
            {"job_id": job_id, "version": version},
        )
        .mappings()
        .one_or_none()
    )
    return PlanRecord(**row) if row else None
