"""Where people and limits step in: a job is paused, resumed, edited, approved or rejected.

Each transition is one UPDATE with its condition inside; None means that the job was elsewhere.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, text

from shared.database import events
from shared.database.engine import to_json
from shared.database.jobs import _FIELDS, JobRecord

PAUSABLE = ("queued", "planning", "piloting", "running")


def pause(
    connection: Connection, job_id: str, reason: dict[str, Any], *, actor: str = "system"
) -> JobRecord | None:
    """queued, planning, piloting or running -> paused, with the event.

    `reason` becomes `status_reason`: ``{"kind": "paused", "by": ...}`` of a person, or of a limit
    (kinds ``budget``, ``provider_quota``, ``breaker``). Nothing is claimed or dispatched any more;
    what runs ends or is handed back at its worker's next heartbeat, no attempt is burned.
    """
    job = _one(
        connection,
        f"""UPDATE jobs SET paused_from = status, status = 'paused',
            status_reason = CAST(:reason AS jsonb)
          WHERE id = :id AND status = ANY(:from) RETURNING {_FIELDS}""",
        {"id": job_id, "reason": to_json(reason), "from": list(PAUSABLE)},
    )
    if job is not None:
        if reason.get("kind") == "budget":
            events.append(connection, job_id, "job.budget_exhausted", actor=actor, data=reason)
        events.append(connection, job_id, "job.paused", actor=actor, data=reason)
    return job


def resume(connection: Connection, job_id: str, *, actor: str = "system") -> JobRecord | None:
    """paused -> where it was paused, with the event; what was announced before is due again.

    `resumed_at` is when counts that led to a pause (a breaker's) begin anew; that of unexpected
    errors does too.
    """
    job = _one(
        connection,
        f"""UPDATE jobs SET status = coalesce(paused_from, 'running'), paused_from = NULL,
            status_reason = NULL, trouble = 0, resumed_at = clock_timestamp()
          WHERE id = :id AND status = 'paused' RETURNING {_FIELDS}""",
        {"id": job_id},
    )
    if job is not None:
        connection.execute(
            text("""UPDATE shards SET dispatched_at = NULL
              WHERE job_id = :id AND status = 'dispatched'"""),
            {"id": job_id},
        )
        events.append(connection, job_id, "job.resumed", actor=actor, data={})
    return job


def due_next_day(connection: Connection, limit: int, job_id: str | None = None) -> list[str]:
    """Return ids of jobs that paused at the end of their project's spend of a day that is over.

    With `job_id` only whether that one is among them.
    """
    return list(
        connection.execute(
            text("""SELECT id FROM jobs WHERE status = 'paused'
              AND status_reason->>'kind' = 'budget' AND status_reason->>'scope' = 'day'
              AND CAST(status_reason->>'until' AS timestamptz) <= clock_timestamp()
              AND (CAST(:job_id AS text) IS NULL OR id = :job_id) ORDER BY id LIMIT :limit"""),
            {"limit": limit, "job_id": job_id},
        ).scalars()
    )


def ask_approval(
    connection: Connection, job_id: str, version: int, plan_hash: str
) -> JobRecord | None:
    """planning, piloting or running -> awaiting_approval of this plan, with the event.

    For a plan that is shown but needs a yes; its stages wait meanwhile.
    """
    job = _one(
        connection,
        f"""UPDATE jobs SET status = 'awaiting_approval', status_reason = NULL,
            plan_version = :version, plan_hash = :hash
          WHERE id = :id AND status IN ('planning', 'piloting', 'running') RETURNING {_FIELDS}""",
        {"id": job_id, "version": version, "hash": plan_hash},
    )
    if job is not None:
        data = {"version": version, "hash": plan_hash}
        events.append(connection, job_id, "job.awaiting_approval", actor="planner", data=data)
    return job


def replace_plan(
    connection: Connection, job_id: str, version: int, plan_hash: str, before: str
) -> JobRecord | None:
    """While awaiting_approval: another plan is now the job's; None if its hash is not `before`."""
    return _one(
        connection,
        f"""UPDATE jobs SET plan_version = :version, plan_hash = :hash
          WHERE id = :id AND status = 'awaiting_approval' AND plan_hash = :before
          RETURNING {_FIELDS}""",
        {"id": job_id, "version": version, "hash": plan_hash, "before": before},
    )


def approve(
    connection: Connection, job_id: str, hashes: Collection[str] | None, approved: dict[str, Any]
) -> JobRecord | None:
    """awaiting_approval -> running, if the plan's hash is one of `hashes` (None: any)."""
    return _one(
        connection,
        f"""UPDATE jobs SET status = 'running', status_reason = NULL,
            approved = CAST(:approved AS jsonb)
          WHERE id = :id AND status = 'awaiting_approval' AND {_HASH} RETURNING {_FIELDS}""",
        {"id": job_id, "hashes": _list(hashes), "approved": to_json(approved)},
    )


def reject(
    connection: Connection, job_id: str, hashes: Collection[str] | None, error: dict[str, Any]
) -> JobRecord | None:
    """awaiting_approval -> finalizing, to end as failed; the collector writes the record."""
    return _one(
        connection,
        f"""UPDATE jobs SET status = 'finalizing', finish_as = 'failed', status_reason = NULL,
            error = CAST(:error AS jsonb)
          WHERE id = :id AND status = 'awaiting_approval' AND {_HASH} RETURNING {_FIELDS}""",
        {"id": job_id, "hashes": _list(hashes), "error": to_json(error)},
    )


def finish_early(
    connection: Connection, job_id: str, reason: dict[str, Any], *, overdue: bool = False
) -> JobRecord | None:
    """Any state that is not final -> finalizing, to end with what it has by its finish policy.

    None when the job ends already; with `overdue` also when its deadline has not passed (any more).
    `reason` becomes `status_reason`, of the final job too.
    """
    return _one(
        connection,
        f"""UPDATE jobs SET status = 'finalizing', finishing = CAST(:reason AS jsonb),
            status_reason = CAST(:reason AS jsonb), replan_round = NULL
          WHERE id = :id AND finished_at IS NULL AND status <> 'finalizing'
            AND (NOT :overdue OR deadline_at < clock_timestamp()) RETURNING {_FIELDS}""",
        {"id": job_id, "reason": to_json(reason), "overdue": overdue},
    )


def edit(
    connection: Connection, job_id: str, versions: Collection[str] | None, *,
    policy: dict[str, Any], priority: int, labels: dict[str, str],
) -> JobRecord | None:  # fmt: skip
    """Write what may change of a job that is not final, if its version is one of `versions`."""
    return _one(
        connection,
        f"""UPDATE jobs SET policy = CAST(:policy AS jsonb), priority = :priority,
            labels = CAST(:labels AS jsonb),
            deadline_at = created_at + make_interval(secs => :deadline_s)
          WHERE id = :id AND finished_at IS NULL AND (CAST(:versions AS text[]) IS NULL
            OR version::text = ANY(CAST(:versions AS text[]))) RETURNING {_FIELDS}""",
        {
            "id": job_id, "versions": _list(versions), "policy": to_json(policy),
            "priority": priority, "labels": to_json(labels),
            "deadline_s": policy.get("deadline_s"),
        },
    )  # fmt: skip


_HASH = """(CAST(:hashes AS text[]) IS NULL OR plan_hash = ANY(CAST(:hashes AS text[])))"""


def _list(values: Collection[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def _one(connection: Connection, statement: str, values: dict[str, Any]) -> JobRecord | None:
    row = connection.execute(text(statement), values).mappings().one_or_none()
    return JobRecord(**row) if row else None
