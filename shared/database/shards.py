"""Shards: pending -> dispatched -> running -> done | cancelled, under a lease with a fence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from shared.database import pauses
from shared.database.engine import to_json
from shared.domain.outcome import Attempted, Settled
from shared.domain.shard import ShardRange


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """A run of units carried by one message, executed under one lease.

    `only_units` lists the units where they are not a contiguous run (postponed ones). `unit_count`
    is how many units this shard accounts for; over all shards of a stage they add up to its units.
    """

    id: int
    stage_id: int
    job_id: str
    status: str
    capability: str
    queue: str
    first_unit: int
    last_unit: int
    only_units: list[int] | None
    unit_count: int
    first_row: int
    row_count: int
    fence: int
    lost: int
    alone: bool

    @property
    def units(self) -> Sequence[int]:
        """The unit numbers, ascending."""
        if self.only_units is not None:
            return self.only_units
        return range(self.first_unit, self.last_unit + 1)


_FIELDS = """s.id, s.stage_id, s.job_id, s.status, s.capability, s.queue, s.first_unit, s.last_unit,
  s.only_units, s.unit_count, s.first_row, s.row_count, s.fence, s.lost, s.alone"""


def insert_cut(
    connection: Connection, stage_id: int, job_id: str, capability: str, queue: str,
    ranges: Sequence[ShardRange],
) -> None:  # fmt: skip
    """Write pending shards; one whose number is there already stays as it is."""
    connection.execute(
        text("""INSERT INTO shards (stage_id, job_id, no, capability, queue, first_unit, last_unit,
            unit_count, first_row, row_count)
          VALUES (:stage_id, :job_id, :no, :capability, :queue, :first_unit, :last_unit, :count,
            :first_row, :row_count) ON CONFLICT DO NOTHING"""),
        [
            {
                "stage_id": stage_id, "job_id": job_id, "no": item.no, "capability": capability,
                "queue": queue, "first_unit": item.first_unit,
                "last_unit": item.first_unit + item.unit_count - 1, "count": item.unit_count,
                "first_row": item.first_row, "row_count": item.row_count,
            }
            for item in ranges
        ],
    )  # fmt: skip


def waiting_jobs(connection: Connection, redispatch_s: float) -> dict[str, dict[str, Any]]:
    """Return jobs with due shards: id -> {project_id, priority, weight, out}.

    `weight` is the project's, `out` counts shards that are announced or running.
    """
    rows = connection.execute(
        text(f"""WITH due AS (SELECT DISTINCT s.job_id FROM shards s JOIN jobs j ON j.id = s.job_id
            WHERE j.status IN ('running', 'piloting') AND s.status IN ('pending', 'dispatched')
            AND NOT {pauses.held("j.project_id")} AND s.due_at <= clock_timestamp()
            AND (s.dispatched_at IS NULL
              OR s.dispatched_at < clock_timestamp() - make_interval(secs => :again)))
          SELECT j.id, j.project_id, j.priority, p.weight,
            (SELECT count(*) FROM shards s WHERE s.job_id = j.id AND s.status = 'running')
            + (SELECT count(*) FROM shards s WHERE s.job_id = j.id AND s.status = 'dispatched'
                AND s.dispatched_at >= clock_timestamp() - make_interval(secs => :again)) AS out
          FROM due JOIN jobs j ON j.id = due.job_id JOIN projects p ON p.id = j.project_id"""),
        {"again": redispatch_s},
    ).mappings()
    return {row["id"]: dict(row) for row in rows}


def dispatch(
    connection: Connection, job_id: str, limit: int, redispatch_s: float
) -> list[tuple[int, str]]:
    """Mark up to `limit` due shards as dispatched; return (id, queue) to publish after commit.

    Those that must run alone go last: a process that waits to run one takes no other.
    """
    rows = connection.execute(
        text("""WITH due AS MATERIALIZED (SELECT id FROM shards WHERE job_id = :job_id
            AND status IN ('pending', 'dispatched') AND due_at <= clock_timestamp()
            AND (dispatched_at IS NULL
              OR dispatched_at < clock_timestamp() - make_interval(secs => :again))
            ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
          UPDATE shards s SET status = 'dispatched', dispatched_at = clock_timestamp()
          FROM due WHERE s.id = due.id RETURNING s.id, s.queue, s.alone"""),
        {"job_id": job_id, "limit": limit, "again": redispatch_s},
    )
    return [(row.id, row.queue) for row in sorted(rows, key=lambda row: (row.alone, row.id))]


def forget_dispatches(connection: Connection) -> int:
    """Redis forgot: whatever was announced is due again at once; return how many."""
    return connection.execute(
        text("UPDATE shards SET dispatched_at = NULL WHERE status = 'dispatched'")
    ).rowcount


def claimed_before_resume(connection: Connection, shard_id: int, known_for_s: float) -> bool:
    """True when the job was resumed after the shard was claimed, or in the last `known_for_s`."""
    return bool(
        connection.execute(
            text("""SELECT j.resumed_at > least(s.claimed_at,
                clock_timestamp() - make_interval(secs => :known_for_s))
              FROM shards s JOIN jobs j ON j.id = s.job_id WHERE s.id = :id"""),
            {"id": shard_id, "known_for_s": known_for_s},
        ).scalar_one_or_none()
    )


def is_alone(connection: Connection, shard_id: int) -> bool:
    """True when the shard may only run while its process runs nothing else (it lost two)."""
    return bool(
        connection.execute(
            text("SELECT alone FROM shards WHERE id = :id"), {"id": shard_id}
        ).scalar_one_or_none()
    )


def claim(
    connection: Connection, shard_id: int, worker_id: str, capabilities: Sequence[str],
    lease_s: float, *, may_be_alone: bool,
) -> ShardRecord | None:  # fmt: skip
    """-> running: take the lease and raise the fence, if the shard is due and this worker can.

    None when another has it, it is done, its job does not run, or the capability is missing here.
    """
    row = (
        connection.execute(
            text(f"""UPDATE shards s SET status = 'running', fence = s.fence + 1, slow = false,
                worker_id = :worker_id, claimed_at = clock_timestamp(),
                lease_until = clock_timestamp() + make_interval(secs => :lease_s)
              FROM jobs j, stages t WHERE s.id = :id AND j.id = s.job_id
                AND j.status IN ('running', 'piloting') AND NOT {pauses.held("j.project_id")}
                AND t.id = s.stage_id AND t.ended_early IS NULL
                AND s.status IN ('pending', 'dispatched') AND s.due_at <= clock_timestamp()
                AND s.capability = ANY(:capabilities) AND (NOT s.alone OR :alone)
              RETURNING {_FIELDS}"""),
            {
                "id": shard_id, "worker_id": worker_id, "lease_s": lease_s,
                "capabilities": list(capabilities), "alone": may_be_alone,
            },
        )
        .mappings()
        .one_or_none()
    )  # fmt: skip
    return ShardRecord(**row) if row else None


def due_unheard(connection: Connection, capabilities: Sequence[str], limit: int) -> list[int]:
    """Return due shards this worker could run though nobody rang (Redis may be away).

    Any of the first, so that workers who look at the same time do not all want the same.
    """
    return list(
        connection.execute(
            text(f"""SELECT id FROM (SELECT s.id FROM shards s JOIN jobs j ON j.id = s.job_id
              WHERE s.status IN ('pending', 'dispatched') AND j.status IN ('running', 'piloting')
              AND NOT {pauses.held("j.project_id")}
              AND s.due_at <= clock_timestamp() AND s.capability = ANY(:capabilities)
              ORDER BY s.id LIMIT :first) due ORDER BY random() LIMIT :limit"""),
            {"capabilities": list(capabilities), "limit": limit, "first": 4 * limit},
        ).scalars()
    )


_DUE_LOST = f"""SELECT s.id FROM shards s JOIN jobs j ON j.id = s.job_id
  WHERE s.status IN ('pending', 'dispatched') AND s.lost > 0 AND NOT s.alone
    AND s.due_at <= clock_timestamp() AND s.capability = ANY(:capabilities)
    AND j.status IN ('running', 'piloting') AND NOT {pauses.held("j.project_id")}
  ORDER BY s.id LIMIT :limit"""


def due_lost(connection: Connection, capabilities: Sequence[str], limit: int) -> list[int]:
    """Return due shards that were lost, without those that must run alone.

    Their messages may be in the hands of a worker that is busy, or was lost in its turn. The index
    `shards_lost` holds them and no others.
    """
    return list(
        connection.execute(
            text(_DUE_LOST), {"capabilities": list(capabilities), "limit": limit}
        ).scalars()
    )


def due_of_the_starved(
    connection: Connection, capabilities: Sequence[str], limit: int
) -> list[int]:
    """Return what `due_lost` does, and due shards of jobs that run few beside the largest.

    Few are fewer than half as many as the job that runs the most. Their messages may lie behind
    those of shards that take long. Shards that must run alone are left out.
    """
    return list(
        connection.execute(
            text(f"""WITH at_work AS MATERIALIZED (
                SELECT job_id, count(*) AS running FROM shards WHERE status = 'running'
                GROUP BY job_id)
              ({_DUE_LOST})
              UNION ALL
              (SELECT s.id FROM jobs j LEFT JOIN at_work w ON w.job_id = j.id,
                LATERAL (SELECT id FROM shards WHERE job_id = j.id
                  AND status IN ('pending', 'dispatched') AND due_at <= clock_timestamp()
                  AND NOT alone AND capability = ANY(:capabilities)
                  ORDER BY due_at LIMIT :limit) s
              WHERE j.status IN ('running', 'piloting') AND NOT {pauses.held("j.project_id")}
                AND 2 * coalesce(w.running, 0) < (SELECT max(running) FROM at_work)
              ORDER BY coalesce(w.running, 0), random() LIMIT :limit)
              LIMIT :limit"""),
            {"capabilities": list(capabilities), "limit": limit},
        ).scalars()
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker is to do with a shard it holds.

    `halted`: begin no further unit and give the rest back. `slow`: go on, but leave the units not
    begun to others.
    """

    halted: bool
    slow: bool = False


def extend_leases(
    connection: Connection, worker_id: str, held: Sequence[tuple[int, int]], lease_s: float
) -> dict[tuple[int, int], Standing]:
    """Extend the leases of `held` (shard id, fence); return how those still held stand.

    A shard that is missing from the answer was rescued or cancelled. One of a job that is paused
    or finishes early stays held until its worker gives it back: what is under way is settled,
    nothing is lost.
    """
    rows = connection.execute(
        text(f"""UPDATE shards s SET
            lease_until = clock_timestamp() + make_interval(secs => :lease_s)
          FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS int[])) AS h(id, fence), jobs j,
            stages t
          WHERE s.id = h.id AND s.fence = h.fence AND s.status = 'running'
            AND s.worker_id = :worker_id AND j.id = s.job_id AND t.id = s.stage_id
            AND (j.status IN ('running', 'piloting', 'paused')
              OR (j.status = 'finalizing' AND j.finish_as IS NULL))
          RETURNING s.id, s.fence, s.slow, (j.status IN ('paused', 'finalizing')
            OR t.ended_early IS NOT NULL OR {pauses.held("j.project_id")}) AS halted"""),
        {
            "worker_id": worker_id, "lease_s": lease_s,
            "ids": [shard_id for shard_id, _ in held], "fences": [fence for _, fence in held],
        },
    )  # fmt: skip
    return {(row.id, row.fence): Standing(row.halted, row.slow) for row in rows}


def settled_units(connection: Connection, shard: ShardRecord) -> set[int]:
    """Return the units of this shard that have their outcome already."""
    return set(
        connection.execute(
            text("""SELECT unit FROM results WHERE stage_id = :stage_id AND replica = 0
              AND unit BETWEEN :first AND :last"""),
            {"stage_id": shard.stage_id, "first": shard.first_unit, "last": shard.last_unit},
        ).scalars()
    )


@dataclass(frozen=True, slots=True)
class Tries:
    """How often a unit was tried: in all, counting against its retries, and by failure code."""

    made: int = 0
    burned: int = 0
    by_code: dict[str, int] = field(default_factory=dict)


def tries_of(connection: Connection, shard: ShardRecord) -> dict[int, Tries]:
    """Return what earlier deliveries of these units came to (lost ones leave no trace here)."""
    rows = connection.execute(
        text("""SELECT unit, max(last) AS made, sum(burned)::int AS burned,
            jsonb_object_agg(code, tries) FILTER (WHERE code IS NOT NULL) AS by_code
          FROM (SELECT unit, code, max(number) AS last, count(*) AS tries,
              count(*) FILTER (WHERE burned) AS burned FROM attempts
            WHERE stage_id = :stage_id AND unit BETWEEN :first AND :last AND replica = 0
            GROUP BY unit, code) a GROUP BY unit"""),
        {"stage_id": shard.stage_id, "first": shard.first_unit, "last": shard.last_unit},
    )
    return {row.unit: Tries(row.made, row.burned, row.by_code or {}) for row in rows}


def settle(
    connection: Connection, shard_id: int, fence: int, worker_id: str,
    outcomes: Sequence[Settled], attempts: Sequence[Attempted],
) -> bool:  # fmt: skip
    """Write outcomes once and count those really written; False when the fence is stale."""
    held = connection.execute(
        text("""SELECT stage_id FROM shards WHERE id = :id AND fence = :fence
          AND status = 'running' FOR UPDATE"""),
        {"id": shard_id, "fence": fence},
    ).scalar_one_or_none()
    if held is None:
        return False
    if attempts:
        _insert_attempts(connection, held, shard_id, fence, worker_id, attempts)
    if outcomes:
        _insert_results(connection, held, shard_id, worker_id, outcomes)
    return True


def finish(
    connection: Connection, shard_id: int, fence: int, postponed: Mapping[int, float]
) -> bool:
    """running -> done; units that wait (unit -> seconds) move to child shards. False if stale.

    Units whose waits differ by less than a factor of two share a child, due after the longest.
    """
    for units, delay_s in _by_wait(postponed):
        if not _split_off(connection, shard_id, fence, units, delay_s=delay_s):
            return False
    return (
        connection.execute(
            text("""UPDATE shards SET status = 'done', done_at = clock_timestamp(),
                lease_until = NULL WHERE id = :id AND fence = :fence AND status = 'running'"""),
            {"id": shard_id, "fence": fence},
        ).rowcount
        == 1
    )


def release(connection: Connection, shard_id: int, fence: int) -> bool:
    """running -> pending at once: the worker stops and hands its rest back."""
    released = connection.execute(
        text("""WITH freed AS (UPDATE shards SET status = 'pending', dispatched_at = NULL,
            lease_until = NULL WHERE id = :id AND fence = :fence AND status = 'running'
            RETURNING id, fence, worker_id, claimed_at)
          INSERT INTO shard_deliveries (shard_id, fence, worker_id, claimed_at, ending)
          SELECT id, fence, worker_id, claimed_at, 'released' FROM freed"""),
        {"id": shard_id, "fence": fence},
    )
    return released.rowcount == 1


def release_unseen(connection: Connection, shard_id: int, worker_id: str) -> bool:
    """running -> pending: the claim was committed, and its worker never heard of it.

    Only for a shard the worker does not work on. Nothing was run, so nothing counts as lost.
    """
    return (
        connection.execute(
            text("""UPDATE shards SET status = 'pending', dispatched_at = NULL, lease_until = NULL
              WHERE id = :id AND worker_id = :worker_id AND status = 'running'"""),
            {"id": shard_id, "worker_id": worker_id},
        ).rowcount
        == 1
    )


def expired(connection: Connection, limit: int) -> list[ShardRecord]:
    """Lock and return running shards whose lease ran out (jobs that still run or were paused)."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM shards s WHERE s.status = 'running'
          AND s.lease_until < clock_timestamp() ORDER BY s.id LIMIT :limit
          FOR UPDATE SKIP LOCKED"""),
        {"limit": limit},
    ).mappings()
    return [ShardRecord(**row) for row in rows]


def note_lost(connection: Connection, shard_id: int) -> None:
    """Write down the delivery whose lease ran out."""
    connection.execute(
        text("""INSERT INTO shard_deliveries (shard_id, fence, worker_id, claimed_at, ending)
          SELECT id, fence, worker_id, claimed_at, 'lost' FROM shards WHERE id = :id
          ON CONFLICT DO NOTHING"""),
        {"id": shard_id},
    )


def rescue(connection: Connection, shard_id: int, *, alone: bool) -> None:
    """running -> pending after a lost delivery; raises the lost count."""
    connection.execute(
        text("""UPDATE shards SET status = 'pending', dispatched_at = NULL, lease_until = NULL,
            lost = lost + 1, alone = :alone WHERE id = :id"""),
        {"id": shard_id, "alone": alone},
    )


def bisect(connection: Connection, shard: ShardRecord, rest: Sequence[int]) -> None:
    """Move the unsettled units of a shard that keeps losing its worker to two halves; end it."""
    middle = len(rest) // 2
    for half in (rest[:middle], rest[middle:]):
        if half:
            _split_off(connection, shard.id, shard.fence, half, lost=shard.lost, alone=True)
    connection.execute(
        text("""UPDATE shards SET status = 'done', done_at = clock_timestamp(), lease_until = NULL
          WHERE id = :id"""),
        {"id": shard.id},
    )


def note_done(connection: Connection, job_id: str) -> None:
    """Number newly done shards in the order they ended, and lock the job's row.

    Each gets a number in its stage (the order of early reads) and one among the job's events.
    """
    connection.execute(
        text("""WITH fresh AS (SELECT s.id, s.stage_id,
              row_number() OVER (PARTITION BY s.stage_id ORDER BY s.done_at, s.id) AS nth,
              row_number() OVER (ORDER BY s.done_at, s.id) AS nth_of_job
            FROM shards s JOIN stages t ON t.id = s.stage_id
            WHERE t.job_id = :job_id AND t.status IN ('open', 'sealing') AND s.status = 'done'
              AND s.noted_no IS NULL),
          job AS (UPDATE jobs SET event_seq = event_seq + (SELECT count(*) FROM fresh)
            WHERE id = :job_id AND EXISTS (SELECT 1 FROM fresh) RETURNING event_seq),
          counted AS (UPDATE stages t SET noted_shards = noted_shards
              + (SELECT count(*) FROM fresh WHERE fresh.stage_id = t.id)
            WHERE t.id IN (SELECT stage_id FROM fresh) RETURNING t.id, t.noted_shards)
          UPDATE shards s SET noted_no = fresh.nth + counted.noted_shards
              - (SELECT count(*) FROM fresh f WHERE f.stage_id = s.stage_id),
            event_no = fresh.nth_of_job + job.event_seq - (SELECT count(*) FROM fresh)
          FROM job CROSS JOIN fresh JOIN counted ON counted.id = fresh.stage_id
          WHERE s.id = fresh.id"""),
        {"job_id": job_id},
    )


def cancel_open(connection: Connection, job_id: str) -> int:
    """Every shard of a job that is not done -> cancelled; late writes meet a raised fence."""
    return connection.execute(
        text("""UPDATE shards SET status = 'cancelled', fence = fence + 1, lease_until = NULL
          WHERE job_id = :job_id AND status IN ('pending', 'dispatched', 'running')"""),
        {"job_id": job_id},
    ).rowcount


def settle_ended(connection: Connection, job_id: str) -> int:
    """Of stages that ended early: what does not run -> cancelled, and what runs past its time.

    Late writes of the latter meet a raised fence.
    """
    return connection.execute(
        text("""UPDATE shards s SET status = 'cancelled', fence = s.fence + 1, lease_until = NULL
          FROM stages t WHERE s.job_id = :job_id AND t.id = s.stage_id
          AND t.ended_early IS NOT NULL AND (s.status IN ('pending', 'dispatched')
            OR (s.status = 'running' AND t.settle_until < clock_timestamp()))"""),
        {"job_id": job_id},
    ).rowcount


def split_off(connection: Connection, shard_id: int, fence: int, units: Sequence[int]) -> bool:
    """Move `units` (ascending, none of them begun) of a running shard to a new pending one.

    The shard runs on with the others, and lists them, for whoever takes it over. False if the
    fence is stale. Units that were moved already (the answer to a COMMIT was lost) stay moved.
    """
    own = connection.execute(
        text("""SELECT CAST(:units AS bigint[]) <@ coalesce(only_units,
            ARRAY(SELECT generate_series(first_unit, last_unit)))
          FROM shards WHERE id = :id AND fence = :fence AND status = 'running' FOR UPDATE"""),
        {"id": shard_id, "fence": fence, "units": list(units)},
    ).scalar_one_or_none()
    if own is None or (own and not _split_off(connection, shard_id, fence, units)):
        return False
    if own:
        connection.execute(
            text("""UPDATE shards SET only_units = ARRAY(
                SELECT u FROM unnest(coalesce(only_units,
                  ARRAY(SELECT generate_series(first_unit, last_unit)))) u
                WHERE NOT u = ANY(CAST(:units AS bigint[])) ORDER BY u) WHERE id = :id"""),
            {"id": shard_id, "units": list(units)},
        )
    return True


def mark_slow(connection: Connection, *, factor: float, least_s: float, limit: int) -> list[str]:
    """Mark running shards that take `factor` times as long as the median of their stage.

    Only those with several units left, running for `least_s` at least, of stages with three done
    shards. Their workers leave what is not begun to others. Returns the jobs.
    """
    rows = connection.execute(
        text("""WITH long AS MATERIALIZED (SELECT s.id, s.stage_id, s.claimed_at FROM shards s
              JOIN stages t ON t.id = s.stage_id AND t.status = 'open' AND t.ended_early IS NULL
            WHERE s.status = 'running' AND NOT s.slow
              AND s.unit_count - s.succeeded - s.failed > 1
              AND extract(epoch FROM clock_timestamp() - s.claimed_at) > :least_s),
          usual AS MATERIALIZED (SELECT l.stage_id, m.median_s
            FROM (SELECT DISTINCT stage_id FROM long) l
            CROSS JOIN LATERAL (SELECT count(*) AS done, percentile_cont(0.5) WITHIN GROUP
                (ORDER BY extract(epoch FROM d.done_at - d.claimed_at)) AS median_s
              FROM (SELECT done_at, claimed_at FROM shards WHERE stage_id = l.stage_id
                AND noted_no IS NOT NULL AND unit_count > 0 ORDER BY noted_no DESC LIMIT 200) d) m
            WHERE m.done >= 3),
          late AS MATERIALIZED (SELECT s.id FROM shards s JOIN long l ON l.id = s.id
              JOIN usual u ON u.stage_id = l.stage_id
            WHERE s.status = 'running' AND NOT s.slow AND s.claimed_at = l.claimed_at
              AND extract(epoch FROM clock_timestamp() - l.claimed_at) > :factor * u.median_s
            LIMIT :limit FOR UPDATE OF s SKIP LOCKED)
          UPDATE shards s SET slow = true FROM late WHERE s.id = late.id RETURNING s.job_id"""),
        {"factor": factor, "least_s": least_s, "limit": limit},
    )
    return sorted({row.job_id for row in rows})


def _by_wait(postponed: Mapping[int, float]) -> list[tuple[list[int], float]]:
    waits: dict[int, dict[int, float]] = {}
    for unit, delay_s in postponed.items():
        waits.setdefault(math.ceil(math.log2(delay_s + 1)), {})[unit] = delay_s
    return [(sorted(alike), max(alike.values())) for alike in waits.values()]


def _insert_attempts(
    connection: Connection, stage_id: int, shard_id: int, fence: int, worker_id: str,
    attempts: Sequence[Attempted],
) -> None:  # fmt: skip
    connection.execute(
        text("""INSERT INTO attempts (stage_id, unit, replica, number, shard_id, fence, outcome,
            code, detail, raw, duration_ms, burned, usage, model, worker_id)
          SELECT :stage_id, unit, replica, number, :shard_id, :fence, outcome, code, detail, raw,
            duration_ms, burned, usage, model, :worker_id
          FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(unit bigint, replica smallint,
            number smallint, outcome text, code text, detail text, raw text, duration_ms int,
            burned boolean, usage jsonb, model text)
          ON CONFLICT DO NOTHING"""),
        {
            "stage_id": stage_id, "shard_id": shard_id, "fence": fence, "worker_id": worker_id,
            "rows": to_json(attempts),
        },
    )  # fmt: skip


def _insert_results(
    connection: Connection, stage_id: int, shard_id: int, worker_id: str,
    outcomes: Sequence[Settled],
) -> None:  # fmt: skip
    connection.execute(
        text("""WITH written AS (INSERT INTO results (stage_id, unit, replica, shard_id, outcome,
              code, detail, output, unit_hash, source, missing, attempt, worker_id, duration_ms,
              usage)
            SELECT :stage_id, unit, replica, :shard_id, outcome, code, detail, output,
              decode(unit_hash, 'hex'), source, missing, attempt, :worker_id, duration_ms, usage
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(unit bigint, replica smallint,
              outcome text, code text, detail text, output jsonb, unit_hash text, source jsonb,
              missing int, attempt smallint, duration_ms int, usage jsonb)
            ON CONFLICT DO NOTHING RETURNING outcome, replica)
          UPDATE shards SET succeeded = succeeded + w.good, failed = failed + w.bad
          FROM (SELECT count(*) FILTER (WHERE outcome = 'succeeded') AS good,
              count(*) FILTER (WHERE outcome <> 'succeeded') AS bad
            FROM written WHERE replica = 0) w WHERE shards.id = :shard_id"""),
        {
            "stage_id": stage_id, "shard_id": shard_id, "worker_id": worker_id,
            "rows": to_json(outcomes),
        },
    )  # fmt: skip


def _split_off(
    connection: Connection, shard_id: int, fence: int, units: Sequence[int], *,
    delay_s: float = 0.0, lost: int = 0, alone: bool = False,
) -> bool:  # fmt: skip
    """Move `units` (ascending) of a running shard to a new pending one; False if stale."""
    return (
        connection.execute(
            text("""WITH parent AS (UPDATE shards SET unit_count = unit_count - :count
                WHERE id = :id AND fence = :fence AND status = 'running' RETURNING *)
              INSERT INTO shards (stage_id, job_id, parent_id, capability, queue, first_unit,
                last_unit, only_units, unit_count, first_row, row_count, due_at, lost, alone)
              SELECT stage_id, job_id, id, capability, queue, :first, :last, :units, :count,
                first_row, row_count, clock_timestamp() + make_interval(secs => :delay_s),
                :lost, :alone FROM parent"""),
            {
                "id": shard_id, "fence": fence, "units": list(units), "count": len(units),
                "first": units[0], "last": units[-1], "delay_s": delay_s, "lost": lost,
                "alone": alone,
            },
        ).rowcount
        == 1
    )  # fmt: skip
