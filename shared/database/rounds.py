"""Rounds: when a round's stages have ended, its plan may want another one planned."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """The plan of one round as it ran."""

    round: int
    version: int
    document: dict[str, Any]


def ran(connection: Connection, job_id: str) -> list[RoundPlan]:
    """Return the plan of every round that was laid out, in order."""
    rows = connection.execute(
        text("""SELECT p.round, p.version, p.document FROM plans p
          WHERE p.job_id = :id AND EXISTS (SELECT 1 FROM stages s
            WHERE s.job_id = p.job_id AND s.plan_version = p.version)
          ORDER BY p.version"""),
        {"id": job_id},
    )
    return [RoundPlan(row.round, row.version, row.document) for row in rows]


def begin(connection: Connection, job_id: str, round_: int) -> bool:
    """A running job asks for the plan of round `round_`; False when it moved on or asked already.

    Its status stays `running`, its reason says ``replanning``; it cannot be finalised meanwhile.
    """
    return connection.execute(
        text("""UPDATE jobs SET replan_round = :round, status_reason = CAST(:reason AS jsonb)
          WHERE id = :id AND status = 'running' AND replan_round IS NULL
          AND round = CAST(:round AS integer) - 1"""),
        {
            "id": job_id, "round": round_,
            "reason": to_json({"kind": "replanning", "round": round_}),
        },
    ).rowcount == 1  # fmt: skip


def show(connection: Connection, job_id: str, round_: int, version: int, plan_hash: str) -> bool:
    """The plan of the round that was asked for is now the job's; False when the job moved on.

    The caller lays its stages out afterwards: whichever stage was the result no longer is.
    """
    shown = connection.execute(
        text("""UPDATE jobs SET round = :round, replan_round = NULL, status_reason = NULL,
            plan_version = :version, plan_hash = :hash
          WHERE id = :id AND status = 'running' AND replan_round = :round"""),
        {"id": job_id, "round": round_, "version": version, "hash": plan_hash},
    ).rowcount == 1  # fmt: skip
    if shown:
        connection.execute(
            text("UPDATE stages SET is_result = false WHERE job_id = :id AND is_result"),
            {"id": job_id},
        )
    return shown


def give_up(connection: Connection, job_id: str, error: dict[str, Any]) -> bool:
    """No further round: the job ends with what it has, and with this error."""
    return connection.execute(
        text("""UPDATE jobs SET replan_round = NULL, status_reason = NULL,
            error = CAST(:error AS jsonb)
          WHERE id = :id AND status = 'running' AND replan_round IS NOT NULL"""),
        {"id": job_id, "error": to_json(error)},
    ).rowcount == 1  # fmt: skip
