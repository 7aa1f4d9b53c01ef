"""Jobs: the record, and one named function per transition."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database import pauses, pilots
from shared.database.engine import to_json
from shared.database.readiness import INPUTS_READY, OPEN_ENDED

_FIELDS = """id, project_id, key_id, status, status_reason, mode, goal, planning, given_plan,
  output, policy, models, labels, priority, version, plan_version, plan_hash, finish_as,
  result_table_id, result_rows, coverage, usage, timings, failures, error, retry_of, forked_from,
  trigger_id, delivery_id,
  approval, approved, pilot, paused_from, resumed_at, round, replan_round, request_id, traceparent,
  created_at, started_at, finished_at, deadline_at, finishing, carry, webhook, deleted_at,
  erased_at, workflow"""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What a client asked and what became of it; the columns of `jobs`."""

    id: str
    project_id: str
    key_id: str | None
    status: str  # see shared/domain/job.py
    status_reason: dict[str, Any] | None
    mode: str
    goal: str | None
    planning: str
    given_plan: dict[str, Any] | None
    output: dict[str, Any] | None
    policy: dict[str, Any]
    models: dict[str, Any]
    labels: dict[str, str]
    priority: int
    version: int
    plan_version: int | None
    plan_hash: str | None
    finish_as: str | None
    result_table_id: str | None
    result_rows: int | None
    coverage: dict[str, Any] | None
    usage: dict[str, Any] | None
    timings: dict[str, Any] | None
    failures: list[dict[str, Any]] | None
    error: dict[str, Any] | None
    retry_of: str | None
    forked_from: str | None
    approval: str  # none, plan or pilot
    approved: dict[str, Any] | None  # {version, hash, by, high_microusd} of the last yes
    pilot: dict[str, Any] | None  # what was asked, and later what came out
    paused_from: str | None  # where /resume goes on
    resumed_at: datetime | None
    round: int  # of the plan that is shown
    replan_round: int | None  # the round whose plan is due (shared/database/rounds.py)
    request_id: str | None
    traceparent: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None = None  # finished early then, by the database's clock
    finishing: dict[str, Any] | None = None  # why it finishes early with what it has
    carry: dict[str, Any] | None = None  # {select}: which outcomes of `retry_of` run again
    webhook: dict[str, Any] | None = None  # {endpoint, events} it brought itself
    deleted_at: datetime | None = None  # only the tombstone is left, or soon will be
    erased_at: datetime | None = None
    trigger_id: str | None = None  # what started it, other than a client
    delivery_id: str | None = None
    workflow: dict[str, Any] | None = None  # {id, name, version} it was made from


@dataclass(frozen=True, slots=True)
class JobInput:
    """One named input of a job."""

    name: str
    table_id: str
    key: str | None


@dataclass(frozen=True, slots=True)
class NewJob:
    """What `insert` needs; ids are made by the caller."""

    id: str
    project_id: str
    key_id: str | None
    mode: str
    goal: str | None
    planning: str
    given_plan: dict[str, Any] | None
    output: dict[str, Any] | None
    policy: dict[str, Any]
    priority: int
    inputs: tuple[JobInput, ...]
    models: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    approval: str = "none"
    pilot: dict[str, Any] | None = None
    request_id: str | None = None
    traceparent: str | None = None
    retry_of: str | None = None
    forked_from: str | None = None
    carry: dict[str, Any] | None = None
    trigger_id: str | None = None
    delivery_id: str | None = None
    webhook: dict[str, Any] | None = None
    workflow: dict[str, Any] | None = None


def insert(connection: Connection, job: NewJob) -> JobRecord:
    """Write a queued job with its inputs."""
    row = connection.execute(
        text(f"""INSERT INTO jobs (id, project_id, key_id, status, mode, goal, planning,
            given_plan, output, policy, models, labels, priority, approval, pilot, request_id,
            traceparent, retry_of, forked_from, trigger_id, delivery_id, carry, webhook,
            workflow, deadline_at)
          VALUES (:id, :project_id, :key_id, 'queued', :mode, :goal, :planning,
            CAST(:given_plan AS jsonb), CAST(:output AS jsonb), CAST(:policy AS jsonb),
            CAST(:models AS jsonb), CAST(:labels AS jsonb), :priority, :approval,
            CAST(:pilot AS jsonb), :request_id, :traceparent, :retry_of, :forked_from,
            :trigger_id, :delivery_id, CAST(:carry AS jsonb), CAST(:webhook AS jsonb),
            CAST(:workflow AS jsonb),
            clock_timestamp() + make_interval(secs => :deadline_s))
          RETURNING {_FIELDS}"""),
        {
            "id": job.id, "project_id": job.project_id, "key_id": job.key_id, "mode": job.mode,
            "goal": job.goal, "planning": job.planning, "priority": job.priority,
            "given_plan": _json_or_null(job.given_plan), "output": _json_or_null(job.output),
            "policy": to_json(job.policy), "models": to_json(job.models),
            "labels": to_json(job.labels), "approval": job.approval,
            "pilot": _json_or_null(job.pilot), "request_id": job.request_id,
            "traceparent": job.traceparent, "retry_of": job.retry_of,
            "forked_from": job.forked_from, "carry": _json_or_null(job.carry),
            "trigger_id": job.trigger_id, "delivery_id": job.delivery_id,
            "webhook": _json_or_null(job.webhook), "workflow": _json_or_null(job.workflow),
            "deadline_s": job.policy.get("deadline_s"),
        },
    ).mappings().one()  # fmt: skip
    for item in job.inputs:
        connection.execute(
            text("""INSERT INTO job_inputs (job_id, name, table_id, key)
              VALUES (:job_id, :name, :table_id, :key)"""),
            {"job_id": job.id, "name": item.name, "table_id": item.table_id, "key": item.key},
        )
    return JobRecord(**row)


def find(connection: Connection, job_id: str, project_id: str | None = None) -> JobRecord | None:
    """Return the job; with `project_id` only when it belongs to that project."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM jobs WHERE id = :id
          AND (CAST(:project_id AS text) IS NULL OR project_id = :project_id)"""),
        {"id": job_id, "project_id": project_id},
    ).mappings().one_or_none()  # fmt: skip
    return JobRecord(**row) if row else None


def lock(connection: Connection, job_id: str) -> JobRecord | None:
    """Return the job with its row locked until the transaction ends."""
    row = connection.execute(
        text(f"SELECT {_FIELDS} FROM jobs WHERE id = :id FOR UPDATE"), {"id": job_id}
    ).mappings().one_or_none()  # fmt: skip
    return JobRecord(**row) if row else None


def origin(connection: Connection, job_id: str) -> tuple[str | None, str | None]:
    """Return the request id and the traceparent a job came with."""
    row = connection.execute(
        text("SELECT request_id, traceparent FROM jobs WHERE id = :id"), {"id": job_id}
    ).one_or_none()
    return (row.request_id, row.traceparent) if row else (None, None)


def inputs(connection: Connection, job_id: str) -> list[JobInput]:
    """Return the inputs of a job by name."""
    rows = connection.execute(
        text("SELECT name, table_id, key FROM job_inputs WHERE job_id = :id ORDER BY name"),
        {"id": job_id},
    )
    return [JobInput(row.name, row.table_id, row.key) for row in rows]


def progress(connection: Connection, job_id: str) -> dict[str, int]:
    """Return units by what became of them, summed over shard and stage rows (cheap)."""
    row = connection.execute(
        text("""WITH live AS (
            SELECT s.stage_id, sum(s.succeeded) AS succeeded, sum(s.failed) AS failed,
              sum(s.unit_count - s.succeeded - s.failed) FILTER (WHERE s.status = 'running')
                AS running
            FROM shards s JOIN stages t ON t.id = s.stage_id
            WHERE t.job_id = :id AND t.status IN ('open', 'sealing') GROUP BY s.stage_id)
          SELECT coalesce(sum(t.unit_count), 0)::bigint AS units,
            coalesce(sum(coalesce(l.succeeded, t.succeeded)), 0)::bigint AS succeeded,
            coalesce(sum(coalesce(l.failed, t.failed)), 0)::bigint AS failed,
            coalesce(sum(t.skipped), 0)::bigint AS skipped,
            coalesce(sum(t.cancelled), 0)::bigint AS cancelled,
            coalesce(sum(l.running), 0)::bigint AS running
          FROM stages t LEFT JOIN live l ON l.stage_id = t.id WHERE t.job_id = :id"""),
        {"id": job_id},
    ).mappings().one()  # fmt: skip
    done = row["succeeded"] + row["failed"] + row["skipped"] + row["cancelled"]
    return {**row, "waiting": max(0, row["units"] - done - row["running"])}


def lease_for_planning(
    connection: Connection, job_id: str, planner_id: str, lease_s: float
) -> JobRecord | None:
    """queued -> planning, or go on where a planner was lost; None while another one holds it.

    Running jobs are leased in the same way for opening and cutting stages.
    """
    row = connection.execute(
        text(f"""UPDATE jobs SET status = CASE status WHEN 'queued' THEN 'planning' ELSE status END,
            started_at = coalesce(started_at, clock_timestamp()), planner_id = :planner_id,
            planner_lease_until = clock_timestamp() + make_interval(secs => :lease_s)
          WHERE id = :id AND status IN ('queued', 'planning', 'piloting', 'running')
            AND NOT {pauses.held("project_id")} AND (
            planner_lease_until IS NULL OR planner_lease_until < clock_timestamp()
            OR planner_id = :planner_id)
          RETURNING {_FIELDS}"""),
        {"id": job_id, "planner_id": planner_id, "lease_s": lease_s},
    ).mappings().one_or_none()  # fmt: skip
    return JobRecord(**row) if row else None


def extend_planning(connection: Connection, job_id: str, planner_id: str, lease_s: float) -> bool:
    """Keep the planning lease; False when it was lost or the job stopped."""
    return connection.execute(
        text("""UPDATE jobs SET
            planner_lease_until = clock_timestamp() + make_interval(secs => :lease_s)
          WHERE id = :id AND planner_id = :planner_id
            AND status IN ('planning', 'piloting', 'running')"""),
        {"id": job_id, "planner_id": planner_id, "lease_s": lease_s},
    ).rowcount == 1  # fmt: skip


def release_planning(connection: Connection, job_id: str, planner_id: str) -> None:
    """Give the planning lease back at once."""
    connection.execute(
        text("""UPDATE jobs SET planner_id = NULL, planner_lease_until = NULL
          WHERE id = :id AND planner_id = :planner_id"""),
        {"id": job_id, "planner_id": planner_id},
    )


def show_plan(
    connection: Connection, job_id: str, version: int, plan_hash: str, *, must_ask: bool = False
) -> JobRecord | None:
    """planning -> running, awaiting_approval or piloting, as the job asks; None if it moved on.

    The plan of this version is now the job's. `must_ask`: it awaits approval whatever the job asks,
    and no pilot runs before.
    """
    row = connection.execute(
        text(f"""UPDATE jobs SET plan_version = :version, plan_hash = :hash,
            status = CASE WHEN :must_ask THEN 'awaiting_approval' WHEN approval = 'none'
              THEN 'running' WHEN approval = 'pilot' THEN 'piloting' ELSE 'awaiting_approval' END
          WHERE id = :id AND status = 'planning' RETURNING {_FIELDS}"""),
        {"id": job_id, "version": version, "hash": plan_hash, "must_ask": must_ask},
    ).mappings().one_or_none()  # fmt: skip
    return JobRecord(**row) if row else None


def stop(
    connection: Connection, job_id: str, finish_as: str, error: dict[str, Any] | None = None
) -> JobRecord | None:
    """Any state that is not final -> finalizing, to end as cancelled or failed.

    Also where it was finishing early. None when the job is final or was stopped already.

    The caller also cancels the open shards: their workers' late writes are refused by the fence.
    """
    row = (
        connection.execute(
            text(f"""UPDATE jobs SET status = 'finalizing', finish_as = :finish_as,
                status_reason = NULL, finishing = NULL, error = CAST(:error AS jsonb)
              WHERE id = :id AND finished_at IS NULL AND finish_as IS NULL
              RETURNING {_FIELDS}"""),
            {"id": job_id, "finish_as": finish_as, "error": _json_or_null(error)},
        )
        .mappings()
        .one_or_none()
    )
    return JobRecord(**row) if row else None


def note_trouble(connection: Connection, job_id: str, who: str, turn: str, detail: str) -> int:
    """Count an unexpected error of planner or collector and show it; return how many so far.

    A paused job keeps the pause's reason: it says when the job goes on.
    """
    reason = {"kind": "error", "in": who, "turn": turn, "detail": detail}
    return int(
        connection.execute(
            text("""UPDATE jobs SET trouble = trouble + 1, status_reason = CASE
                WHEN status = 'paused' THEN status_reason ELSE CAST(:reason AS jsonb) END
              WHERE id = :id AND finished_at IS NULL RETURNING trouble"""),
            {"id": job_id, "reason": to_json(reason)},
        ).scalar_one_or_none()
        or 0
    )


def forget_trouble(connection: Connection, job_id: str, turn: str) -> None:
    """Count unexpected errors from none again, where the last one was of such a turn.

    Not while the collector has something left to do: a turn of it that found a stage or a stream
    in other hands, or in those that raised a moment ago, did not get through it.
    """
    connection.execute(
        text("""UPDATE jobs j SET trouble = 0, status_reason = finishing
          WHERE id = :id AND trouble <> 0 AND finished_at IS NULL
            AND status_reason->>'kind' = 'error' AND status_reason->>'turn' = :turn
            AND (:turn <> 'collect' OR (status <> 'finalizing'
              AND NOT EXISTS (SELECT 1 FROM stages t WHERE t.job_id = j.id AND t.status = 'sealing')
              AND NOT EXISTS (SELECT 1 FROM streams s WHERE s.job_id = j.id
                AND s.ended_at IS NOT NULL AND s.sealed_at IS NULL)))"""),
        {"id": job_id, "turn": turn},
    )


def explain_wait(connection: Connection, job_id: str, reason: dict[str, Any] | None) -> None:
    """Say why the job waits (or that it no longer does); a paused job keeps the pause's reason."""
    connection.execute(
        text("""UPDATE jobs SET status_reason = CAST(:reason AS jsonb)
          WHERE id = :id AND finished_at IS NULL AND status <> 'paused'
          AND status_reason IS DISTINCT FROM CAST(:reason AS jsonb)"""),
        {"id": job_id, "reason": _json_or_null(reason)},
    )


@dataclass(frozen=True, slots=True)
class FinalRecord:
    """Everything the collector writes when a job ends."""

    status: str
    error: dict[str, Any] | None
    result_table_id: str | None
    result_rows: int | None
    coverage: dict[str, Any]
    usage: dict[str, Any]
    failures: list[dict[str, Any]]


def finish(connection: Connection, job_id: str, record: FinalRecord) -> JobRecord | None:
    """-> succeeded, partial, failed or cancelled, once; None when it was final already.

    What made it finish early stays its `status_reason`.
    """
    row = connection.execute(
        text(f"""UPDATE jobs SET status = :status, status_reason = finishing,
            error = CAST(:error AS jsonb), result_table_id = :table_id, result_rows = :rows,
            coverage = CAST(:coverage AS jsonb), usage = CAST(:usage AS jsonb),
            failures = CAST(:failures AS jsonb), finished_at = clock_timestamp(),
            planner_id = NULL, planner_lease_until = NULL,
            timings = jsonb_build_object(
              'queued_ms', (extract(epoch FROM coalesce(started_at, clock_timestamp())
                - created_at) * 1000)::bigint,
              'total_ms', (extract(epoch FROM clock_timestamp() - created_at) * 1000)::bigint)
          WHERE id = :id AND finished_at IS NULL RETURNING {_FIELDS}"""),
        {
            "id": job_id, "status": record.status, "error": _json_or_null(record.error),
            "table_id": record.result_table_id, "rows": record.result_rows,
            "coverage": to_json(record.coverage), "usage": to_json(record.usage),
            "failures": to_json(record.failures),
        },
    ).mappings().one_or_none()  # fmt: skip
    return JobRecord(**row) if row else None


def due_for_planning(connection: Connection, limit: int) -> list[str]:
    """Return ids of jobs with planning-side work and no live planning lease."""
    return list(
        connection.execute(
            text(f"""SELECT id FROM jobs j WHERE (status IN ('queued', 'planning')
              OR (status = 'piloting' AND {pilots.DUE})
              OR (status = 'running' AND (replan_round IS NOT NULL
                OR EXISTS (SELECT 1 FROM stages t WHERE t.job_id = j.id
                  AND ((t.status = 'waiting' AND {INPUTS_READY})
                    OR (t.status = 'open' AND NOT t.fully_cut AND NOT {OPEN_ENDED}))))))
              AND finished_at IS NULL AND NOT {pauses.held("j.project_id")}
              AND (planner_lease_until IS NULL OR planner_lease_until < clock_timestamp())
              ORDER BY id LIMIT :limit"""),
            {"limit": limit},
        ).scalars()
    )


def due_for_collecting(connection: Connection, limit: int) -> list[str]:
    """Return ids of jobs with a stage that can be sealed or closed, a stream to seal, or an end.

    A stream is sealed after its job's end too, where no plan came out.
    """
    return list(
        connection.execute(
            text(f"""SELECT id FROM jobs j WHERE finished_at IS NULL AND (
                status = 'finalizing' OR (status = 'piloting' AND {pilots.OVER})
                OR (status = 'running' AND (
                  EXISTS (SELECT 1 FROM stages t WHERE t.job_id = j.id AND (t.status = 'sealing'
                    OR (t.status = 'open' AND t.fully_cut AND NOT {OPEN_ENDED} AND NOT EXISTS (
                      SELECT 1 FROM shards s WHERE s.stage_id = t.id
                        AND s.status IN ('pending', 'dispatched', 'running')))
                    OR (t.status = 'open' AND t.ended_early IS NOT NULL AND EXISTS (
                      SELECT 1 FROM shards s WHERE s.stage_id = t.id
                        AND (s.status IN ('pending', 'dispatched') OR (s.status = 'running'
                          AND t.settle_until < clock_timestamp()))))))
                  OR (replan_round IS NULL AND NOT EXISTS (SELECT 1 FROM stages t
                    WHERE t.job_id = j.id AND t.status IN ('waiting', 'open', 'sealing'))
                    AND NOT EXISTS (SELECT 1 FROM streams s WHERE s.job_id = j.id
                      AND s.sealed_at IS NULL)))))
              UNION SELECT job_id FROM streams WHERE sealed_at IS NULL AND ended_at IS NOT NULL
              ORDER BY id LIMIT :limit"""),
            {"limit": limit},
        ).scalars()
    )


def overdue(connection: Connection, limit: int) -> list[str]:
    """Return ids of jobs that are not final and past their deadline, by the database's clock."""
    return list(
        connection.execute(
            text("""SELECT id FROM jobs WHERE finished_at IS NULL AND status <> 'finalizing'
              AND deadline_at < clock_timestamp() ORDER BY deadline_at LIMIT :limit"""),
            {"limit": limit},
        ).scalars()
    )


def _json_or_null(value: Any) -> str | None:
    return None if value is None else to_json(value)
