"""Answers a planner got from its model, so that one that takes over need not ask again."""

from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json


def find(
    connection: Connection, job_id: str, round_: int, no: int, request_hash: str
) -> dict[str, Any] | None:
    """Return the reply to call `no` of a round, if it was the answer to this very request."""
    found: dict[str, Any] | None = connection.execute(
        text("""SELECT reply FROM planning_calls WHERE job_id = :job_id AND round = :round
          AND no = :no AND request_hash = :hash"""),
        {"job_id": job_id, "round": round_, "no": no, "hash": request_hash},
    ).scalar_one_or_none()
    return found


def save(
    connection: Connection, job_id: str, round_: int, no: int, request_hash: str,
    reply: dict[str, Any],
) -> bool:  # fmt: skip
    """Keep a reply; False when this very one was kept already."""
    return connection.execute(
        text("""INSERT INTO planning_calls AS c (job_id, round, no, request_hash, reply)
          VALUES (:job_id, :round, :no, :hash, CAST(:reply AS jsonb))
          ON CONFLICT (job_id, round, no) DO UPDATE SET request_hash = excluded.request_hash,
            reply = excluded.reply, created_at = clock_timestamp()
          WHERE c.request_hash <> excluded.request_hash OR c.reply <> excluded.reply"""),
        {
            "job_id": job_id, "round": round_, "no": no, "hash": request_hash,
            "reply": to_json(reply),
        },
    ).rowcount == 1  # fmt: skip
