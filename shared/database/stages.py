"""Stages: waiting -> open -> sealing -> closed | abandoned."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database import pauses, usage_hours
from shared.database.engine import to_json
from shared.database.readiness import INPUTS_READY, OPEN_ENDED
from shared.database.workers import LIVE_S
from shared.domain.columns import Column
from shared.domain.wait_reason import Postponed, StageSituation, stage_wait

_FIELDS = """id, job_id, plan_version, no, name, status, status_reason, spec, brief, capability,
  capability_version, queue, reads, columns, keys, max_failed, is_result, source_table_id,
  output_table_id, unit_count, missing, cut_units, fully_cut, ended_early, pilot_units,
  succeeded, failed, skipped, cancelled, opened_at, closed_at, streams"""


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A template expanded over the units of one table; the columns of `stages`."""

    id: int
    job_id: str
    plan_version: int
    no: int
    name: str
    status: str
    status_reason: dict[str, Any] | None
    spec: dict[str, Any]  # the stage as it stands in the plan document, defaults filled in
    brief: str
    capability: str
    capability_version: str
    queue: str  # model or cpu
    reads: dict[str, str]  # table name -> table id: `over` and the one-row tables of the template
    columns: tuple[Column, ...]  # of the output table
    keys: tuple[str, ...]  # input key columns the output carries
    max_failed: float
    is_result: bool
    source_table_id: str | None  # the table the units number: an input, or an arrangement of it
    output_table_id: str
    unit_count: int | None  # None until known
    missing: dict[str, int] | None  # members a group lacks, by shared.domain.group_key
    cut_units: int
    fully_cut: bool
    ended_early: dict[str, Any] | None  # why what is left was skipped
    pilot_units: list[int] | None  # ascending; cut for the pilot, so not again with the rest
    succeeded: int
    failed: int
    skipped: int
    cancelled: int
    opened_at: datetime | None
    closed_at: datetime | None
    streams: bool = False  # works off its table while rows are appended to it


@dataclass(frozen=True, slots=True)
class NewStage:
    """What `insert` needs."""

    no: int
    name: str
    spec: dict[str, Any]
    brief: str
    capability: str
    capability_version: str
    queue: str
    reads: dict[str, str]
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    max_failed: float
    is_result: bool
    output_table_id: str
    streams: bool = False


def insert(connection: Connection, job_id: str, plan_version: int, stage: NewStage) -> None:
    """Write a waiting stage."""
    connection.execute(
        text("""INSERT INTO stages (job_id, plan_version, no, name, status, spec, brief,
            capability, capability_version, queue, reads, columns, keys, max_failed, is_result,
            output_table_id, streams)
          VALUES (:job_id, :plan_version, :no, :name, 'waiting', CAST(:spec AS jsonb), :brief,
            :capability, :capability_version, :queue, CAST(:reads AS jsonb),
            CAST(:columns AS jsonb), :keys, :max_failed, :is_result, :output_table_id,
            :streams)"""),
        {
            "job_id": job_id, "plan_version": plan_version, "no": stage.no, "name": stage.name,
            "spec": to_json(stage.spec), "brief": stage.brief, "capability": stage.capability,
            "capability_version": stage.capability_version, "queue": stage.queue,
            "reads": to_json(stage.reads), "keys": list(stage.keys),
            "columns": to_json([column.to_json() for column in stage.columns]),
            "max_failed": stage.max_failed, "is_result": stage.is_result,
            "output_table_id": stage.output_table_id, "streams": stage.streams,
        },
    )  # fmt: skip


def of_job(connection: Connection, job_id: str) -> list[StageRecord]:
    """Return a job's stages in plan order."""
    rows = connection.execute(
        text(f"SELECT {_FIELDS} FROM stages WHERE job_id = :id ORDER BY no"), {"id": job_id}
    ).mappings()
    return [_record(row) for row in rows]


def find(connection: Connection, stage_id: int) -> StageRecord | None:
    """Return one stage."""
    row = (
        connection.execute(text(f"SELECT {_FIELDS} FROM stages WHERE id = :id"), {"id": stage_id})
        .mappings()
        .one_or_none()
    )
    return _record(row) if row else None


def of_output(connection: Connection, table_id: str) -> StageRecord | None:
    """Return the stage that wrote a table; None for inputs and literal tables."""
    row = (
        connection.execute(
            text(f"SELECT {_FIELDS} FROM stages WHERE output_table_id = :id"), {"id": table_id}
        )
        .mappings()
        .one_or_none()
    )
    return _record(row) if row else None


def progress(connection: Connection, job_id: str) -> list[dict[str, Any]]:
    """Return each stage's counts so far, summed over its shards, in plan order (cheap).

    `status_reason` says why a stage does not go on right now (`shared/domain/wait_reason.py`).
    """
    rows = connection.execute(
        text(f"""SELECT t.name, t.no, t.status, t.status_reason, t.capability, t.is_result,
            t.unit_count AS units, t.opened_at, t.closed_at, t.output_table_id, t.fully_cut,
            j.status AS job_status, j.status_reason AS job_reason,
            {OPEN_ENDED} AND NOT t.fully_cut AS open_ended,
            CASE WHEN t.status IN ('open', 'sealing') THEN coalesce(s.succeeded, 0)
              ELSE t.succeeded END AS succeeded,
            CASE WHEN t.status IN ('open', 'sealing') THEN coalesce(s.failed, 0)
              ELSE t.failed END AS failed,
            t.skipped, t.cancelled, coalesce(s.running, 0) AS running,
            coalesce(s.ready_shards, 0) AS ready_shards,
            EXISTS (SELECT 1 FROM workers w WHERE w.stopped_at IS NULL
              AND w.seen_at > clock_timestamp() - make_interval(secs => :live)
              AND t.capability = ANY(w.capabilities)) AS has_worker,
            CASE WHEN t.status = 'waiting' AND NOT {INPUTS_READY} THEN
              (SELECT array_agg(r.key ORDER BY r.key)
              FROM jsonb_each_text(t.reads) r LEFT JOIN tables i ON i.id = r.value
              WHERE i.status IS DISTINCT FROM 'sealed') END AS unsealed_inputs,
            p.due_at AS next_due_at, a.code AS next_code, a.model AS next_model,
            a.number AS next_attempt,
            coalesce(s.shards, 0) AS shards, coalesce(s.open_shards, 0) AS open_shards
          FROM stages t JOIN jobs j ON j.id = t.job_id LEFT JOIN LATERAL (
            SELECT sum(succeeded)::bigint AS succeeded, sum(failed)::bigint AS failed,
              (sum(unit_count - succeeded - failed) FILTER (WHERE status = 'running'))::bigint
                AS running, count(*) AS shards,
              count(*) FILTER (WHERE status IN ('pending', 'dispatched', 'running')) AS open_shards,
              count(*) FILTER (WHERE status IN ('pending', 'dispatched')
                AND due_at <= clock_timestamp()) AS ready_shards
            FROM shards WHERE stage_id = t.id) s ON true
          LEFT JOIN LATERAL (SELECT due_at, first_unit FROM shards WHERE stage_id = t.id
            AND status = 'pending' AND due_at > clock_timestamp()
            ORDER BY due_at, id LIMIT 1) p ON true
          LEFT JOIN LATERAL (SELECT code, model, number FROM attempts WHERE stage_id = t.id
            AND unit = p.first_unit AND replica = 0 ORDER BY number DESC LIMIT 1) a ON true
          WHERE t.job_id = :id ORDER BY t.no"""),
        {"id": job_id, "live": LIVE_S},
    ).mappings()
    held = pauses.of_job(connection, job_id)
    return [{**row, "status_reason": _wait_of(row, held)} for row in rows]


def ready_to_open(connection: Connection, job_id: str) -> list[StageRecord]:
    """Return waiting stages whose inputs are ready, if the job runs or is piloting."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM stages t WHERE job_id = :id AND status = 'waiting'
          AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = t.job_id
            AND j.status IN ('running', 'piloting'))
          AND {INPUTS_READY} ORDER BY no"""),
        {"id": job_id},
    ).mappings()
    return [_record(row) for row in rows]


def drop_waiting(connection: Connection, job_id: str) -> None:
    """Forget the waiting stages of a plan that is replaced, their tables, and literals now unread.

    The caller holds the job's row lock and knows that nothing has been opened.
    """
    connection.execute(
        text("""WITH gone AS (DELETE FROM stages WHERE job_id = :id AND status = 'waiting'
            RETURNING output_table_id)
          DELETE FROM tables t USING gone WHERE t.id = gone.output_table_id"""),
        {"id": job_id},
    )
    connection.execute(
        text("""DELETE FROM tables t WHERE t.job_id = :id AND t.kind = 'literal' AND NOT EXISTS (
            SELECT 1 FROM stages s, jsonb_each_text(s.reads) r
            WHERE s.job_id = :id AND r.value = t.id)"""),
        {"id": job_id},
    )


def open_stage(
    connection: Connection, stage_id: int, *, source_table_id: str, unit_count: int,
    missing: dict[str, int] | None = None,
) -> StageRecord | None:  # fmt: skip
    """waiting -> open, its units now known; None when it was opened or abandoned already."""
    row = (
        connection.execute(
            text(f"""UPDATE stages SET status = 'open', opened_at = clock_timestamp(),
                source_table_id = :source, unit_count = :units,
                missing = CAST(:missing AS jsonb), fully_cut = (:units = 0)
              WHERE id = :id AND status = 'waiting' RETURNING {_FIELDS}"""),
            {
                "id": stage_id,
                "source": source_table_id,
                "units": unit_count,
                "missing": to_json(missing),
            },
        )
        .mappings()
        .one_or_none()
    )
    return _record(row) if row else None


def note_cut(connection: Connection, stage_id: int, cut_from: int, cut_to: int) -> bool:
    """Move the cutting cursor; False when it is not at `cut_from` (another planner cuts).

    Shards are written in the same transaction, so no unit is ever in two of them. At
    `unit_count` the stage is fully cut.
    """
    return (
        connection.execute(
            text("""UPDATE stages SET cut_units = :cut_to, fully_cut = (:cut_to >= unit_count)
              WHERE id = :id AND cut_units = :cut_from AND status = 'open'
                AND ended_early IS NULL"""),
            {"id": stage_id, "cut_from": cut_from, "cut_to": cut_to},
        ).rowcount
        == 1
    )


def end_early(connection: Connection, job_id: str, reason: dict[str, Any], settle_s: float) -> bool:
    """Call every open stage fully cut: nothing of it begins any more, and it closes as it is.

    What runs may settle for `settle_s` (`shards.settle_ended`).
    """
    return (
        connection.execute(
            text("""UPDATE stages SET fully_cut = true, ended_early = CAST(:reason AS jsonb),
                settle_until = clock_timestamp() + make_interval(secs => :settle_s)
              WHERE job_id = :id AND status = 'open' AND ended_early IS NULL"""),
            {"id": job_id, "reason": to_json(reason), "settle_s": settle_s},
        ).rowcount
        > 0
    )


def abandon_waiting(connection: Connection, job_id: str, reason: dict[str, Any]) -> int:
    """waiting -> abandoned for every stage that was never opened; return how many."""
    return connection.execute(
        text("""UPDATE stages SET status = 'abandoned', closed_at = clock_timestamp(),
            status_reason = CAST(:reason AS jsonb)
          WHERE job_id = :id AND status = 'waiting'"""),
        {"id": job_id, "reason": to_json(reason)},
    ).rowcount


def begin_sealing(connection: Connection, job_id: str) -> list[int]:
    """open -> sealing for every fully cut stage without an open shard; return their ids."""
    return list(
        connection.execute(
            text(f"""UPDATE stages t SET status = 'sealing' WHERE job_id = :id AND status = 'open'
              AND fully_cut AND NOT {OPEN_ENDED} AND NOT EXISTS (SELECT 1 FROM shards s
                WHERE s.stage_id = t.id AND s.status IN ('pending', 'dispatched', 'running'))
              RETURNING id"""),
            {"id": job_id},
        ).scalars()
    )


def lease_sealing(connection: Connection, job_id: str, lease_s: float) -> list[StageRecord]:
    """Return the sealing stages of a job that no other collector seals now, leased."""
    rows = connection.execute(
        text(f"""UPDATE stages SET
            seal_lease_until = clock_timestamp() + make_interval(secs => :lease_s)
          WHERE job_id = :id AND status = 'sealing'
          AND (seal_lease_until IS NULL OR seal_lease_until < clock_timestamp())
          RETURNING {_FIELDS}"""),
        {"id": job_id, "lease_s": lease_s},
    ).mappings()
    return [_record(row) for row in rows]


def ledger_of_shards(connection: Connection, stage_id: int) -> dict[str, int]:
    """Sum what the shards say was settled."""
    row = (
        connection.execute(
            text("""SELECT coalesce(sum(succeeded), 0)::bigint AS succeeded,
                coalesce(sum(failed), 0)::bigint AS failed FROM shards WHERE stage_id = :id"""),
            {"id": stage_id},
        )
        .mappings()
        .one()
    )
    return dict(row)


def recount(connection: Connection, stage_id: int) -> dict[str, int]:
    """Count the results themselves: the ledger of a stage that is stopped before it closed."""
    row = (
        connection.execute(
            text("""SELECT count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
                count(*) FILTER (WHERE outcome IN ('invalid', 'failed', 'refused')) AS failed
              FROM results WHERE stage_id = :id AND replica = 0"""),
            {"id": stage_id},
        )
        .mappings()
        .one()
    )
    return dict(row)


def end_stage(
    connection: Connection, stage_id: int, status: str, *, succeeded: int, failed: int,
    skipped: int = 0, cancelled: int = 0, reason: dict[str, Any] | None = None,
) -> bool:  # fmt: skip
    """-> closed or abandoned with its ledger, which Postgres compares with a recount of results.

    Raises a database error with sqlstate AP001 when they differ, or a check violation when the
    ledger does not add up to the units.
    """
    ended = connection.execute(
        text("""UPDATE stages SET status = :status, succeeded = :succeeded, failed = :failed,
            skipped = :skipped, cancelled = :cancelled, status_reason = CAST(:reason AS jsonb),
            closed_at = clock_timestamp()
          WHERE id = :id AND status NOT IN ('closed', 'abandoned')"""),
        {
            "id": stage_id, "status": status, "succeeded": succeeded, "failed": failed,
            "skipped": skipped, "cancelled": cancelled, "reason": to_json(reason),
        },
    ).rowcount == 1  # fmt: skip
    if ended:
        usage_hours.book_stage(connection, stage_id)
    return ended


def explain_wait(connection: Connection, stage_id: int, reason: dict[str, Any] | None) -> None:
    """Say why the stage does not go on."""
    connection.execute(
        text("""UPDATE stages SET status_reason = CAST(:reason AS jsonb) WHERE id = :id
          AND status_reason IS DISTINCT FROM CAST(:reason AS jsonb)"""),
        {"id": stage_id, "reason": to_json(reason)},
    )


def _wait_of(row: Any, held: dict[str, Any] | None) -> dict[str, Any] | None:
    until = row["next_due_at"]
    return stage_wait(
        StageSituation(
            status=row["status"],
            stored_reason=row["status_reason"],
            job_status=row["job_status"],
            job_reason=row["job_reason"],
            capability=row["capability"],
            has_worker=row["has_worker"],
            unsealed_inputs=row["unsealed_inputs"] or (),
            running=row["running"],
            ready_shards=row["ready_shards"],
            postponed=Postponed(
                until=f"{until:%Y-%m-%dT%H:%M:%S.%fZ}",
                code=row["next_code"],
                model=row["next_model"],
                attempt=row["next_attempt"] or 0,
            )
            if until
            else None,
            fully_cut=row["fully_cut"],
            held=held,
            open_ended=row["open_ended"],
        )
    )


def _record(row: Any) -> StageRecord:
    columns = tuple(Column.from_json(column) for column in row["columns"])
    return StageRecord(**{**row, "columns": columns, "keys": tuple(row["keys"])})
