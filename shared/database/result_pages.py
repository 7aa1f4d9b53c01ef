"""Reads settled units in pages: bounded in rows and bytes, never counted, never held whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

GOOD: tuple[str, ...] = ("succeeded",)
NOT_GOOD: tuple[str, ...] = ("invalid", "failed", "refused", "cancelled", "skipped")
_FIELDS = """r.unit, r.shard_id, r.outcome, r.code, r.detail, r.source, r.missing, r.attempt,
  r.worker_id, r.duration_ms, r.usage, r.settled_at"""
# The window counts stored bytes without fetching them, so that a page of huge outputs stays small.
_WITHIN = """coalesce(sum(coalesce(pg_column_size(r.output), 0)) OVER
  (ORDER BY r.unit ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before"""


@dataclass(frozen=True, slots=True)
class SettledUnit:
    """How one unit ended (replica 0) and, where asked for, the rows it gave."""

    unit: int
    shard_id: int
    outcome: str
    code: str | None
    detail: str | None
    source: list[list[int]] | None  # runs [first row, count]; None where the unit number says it
    missing: int
    attempt: int
    worker_id: str | None
    duration_ms: int
    usage: dict[str, Any] | None
    settled_at: datetime
    output: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class NotedShard:
    """A done shard in the order of early reads."""

    noted_no: int
    id: int


def noted_shards(
    connection: Connection, stage_id: int, from_no: int, *, limit: int, only_with_failures: bool
) -> list[NotedShard]:
    """Return done shards numbered `from_no` and up, in that order."""
    rows = connection.execute(
        text("""SELECT noted_no, id FROM shards WHERE stage_id = :stage_id AND noted_no >= :from_no
          AND (NOT :failures OR failed > 0) ORDER BY noted_no LIMIT :limit"""),
        {"stage_id": stage_id, "from_no": from_no, "limit": limit, "failures": only_with_failures},
    )
    return [NotedShard(row.noted_no, row.id) for row in rows]


def of_shard(
    connection: Connection, shard_id: int, from_unit: int, outcomes: Sequence[str], *,
    limit: int, max_bytes: int,
) -> list[SettledUnit]:  # fmt: skip
    """Return units of one shard from `from_unit` on, at least one if there is any."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS}, r.output FROM (
            SELECT r.stage_id, r.unit, r.replica, {_WITHIN} FROM results r
            WHERE r.shard_id = :shard_id AND r.unit >= :from_unit AND r.replica = 0
              AND r.outcome = ANY(:outcomes) ORDER BY r.unit LIMIT :limit) p
          JOIN results r USING (stage_id, unit, replica)
          WHERE p.bytes_before <= :max_bytes ORDER BY r.unit"""),
        {"shard_id": shard_id, "from_unit": from_unit, "outcomes": list(outcomes),
         "limit": limit, "max_bytes": max_bytes},
    ).mappings()  # fmt: skip
    return [SettledUnit(**row) for row in rows]


def in_unit_order(
    connection: Connection, stage_id: int, from_unit: int, outcomes: Sequence[str], *,
    limit: int, max_bytes: int,
) -> list[SettledUnit]:  # fmt: skip
    """Return units of a stage from `from_unit` on, at least one if there is any."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS}, r.output FROM (
            SELECT r.stage_id, r.unit, r.replica, {_WITHIN} FROM
              ({_candidates(outcomes, "output")}) r ORDER BY r.unit LIMIT :limit) p
          JOIN results r USING (stage_id, unit, replica)
          WHERE p.bytes_before <= :max_bytes ORDER BY r.unit"""),
        {"stage_id": stage_id, "from_unit": from_unit, "limit": limit, "max_bytes": max_bytes},
    ).mappings()  # fmt: skip
    return [SettledUnit(**row) for row in rows]


def endings_of_stage(
    connection: Connection, stage_id: int, from_unit: int, outcomes: Sequence[str], *, limit: int
) -> list[SettledUnit]:
    """Return how units ended, without their rows, in unit order."""
    columns = _FIELDS.replace("r.", "")
    rows = connection.execute(
        text(f"""SELECT {columns} FROM ({_candidates(outcomes, columns)}) c
          ORDER BY unit LIMIT :limit"""),
        {"stage_id": stage_id, "from_unit": from_unit, "limit": limit},
    ).mappings()
    return [SettledUnit(**row) for row in rows]


def attempts_of_units(
    connection: Connection, stage_id: int, units: Sequence[int]
) -> dict[int, list[dict[str, Any]]]:
    """Return the stored attempts of units: all but first-try successes, oldest first."""
    rows = connection.execute(
        text("""SELECT unit, number, outcome, code, detail, worker_id, duration_ms, ended_at
          FROM attempts WHERE stage_id = :stage_id AND unit = ANY(:units) AND replica = 0
          ORDER BY unit, number"""),
        {"stage_id": stage_id, "units": list(units)},
    ).mappings()
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["unit"], []).append({k: v for k, v in row.items() if k != "unit"})
    return found


def failure_clusters(
    connection: Connection, stage_id: int, stage: str, *, looked_at: int
) -> list[dict[str, Any]]:
    """Group up to `looked_at` failed units of a stage, in the form of the final record."""
    rows = connection.execute(
        text(f"""WITH looked AS ({_candidates(NOT_GOOD, "unit, outcome, code, detail")})
          SELECT CAST(:stage AS text) AS stage, outcome, code,
            CASE WHEN code = 'missing_context' THEN code ELSE
              regexp_replace(left(coalesce(detail, ''), 200), '[0-9]+', '#', 'g')
            END AS signature,
            count(*) AS count, min(unit) AS sample_unit, min(left(detail, 500)) AS sample
          FROM looked GROUP BY 1, 2, 3, 4 ORDER BY count(*) DESC, 2, 3, 4 LIMIT 100"""),
        {"stage_id": stage_id, "stage": stage, "from_unit": 0, "limit": looked_at},
    ).mappings()
    return [dict(row) for row in rows]


def _candidates(outcomes: Sequence[str], columns: str) -> str:
    """Return SQL for the next units: one bounded index scan per rare outcome, or the primary key.

    A single scan over several rare outcomes would sort all of them.
    """
    names = columns if "unit" in columns else f"stage_id, unit, replica, {columns}"
    bound = "stage_id = :stage_id AND unit >= :from_unit AND replica = 0"
    rare = [outcome for outcome in outcomes if outcome in NOT_GOOD]
    if len(rare) < len(outcomes):
        chosen = ", ".join(f"'{outcome}'" for outcome in sorted({*GOOD, *NOT_GOOD} & {*outcomes}))
        condition = "" if len(rare) == len(NOT_GOOD) else f"AND outcome IN ({chosen})"
        return f"SELECT {names} FROM results WHERE {bound} {condition} ORDER BY unit LIMIT :limit"
    scans = [
        f"(SELECT {names} FROM results WHERE {bound} AND outcome = '{outcome}' "
        "ORDER BY unit LIMIT :limit)"
        for outcome in rare
    ]
    return " UNION ALL ".join(scans)
