"""One subtask with everything that is known of it: outcomes, attempts, who held it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class SettledReplica:
    """The outcome of one replica; 0 is the combined one, with `replicas` the runs are 1, 2, ..."""

    replica: int
    shard_id: int
    outcome: str
    code: str | None
    detail: str | None
    output: list[dict[str, Any]] | None
    unit_hash: str | None
    source: list[list[int]] | None
    missing: int
    attempt: int
    worker_id: str | None
    duration_ms: int
    usage: dict[str, Any] | None
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class KeptAttempt:
    """A try that was not a first-try success; `raw` is what the model said, where it was kept."""

    replica: int
    number: int
    shard_id: int
    outcome: str
    code: str | None
    detail: str | None
    raw: str | None
    raw_erased: bool
    usage: dict[str, Any] | None
    worker_id: str | None
    duration_ms: int
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """A shard the unit is or was in. Its rows are of the stage's source table."""

    id: int
    status: str
    worker_id: str | None
    first_row: int
    row_count: int
    lost: int


def settled(connection: Connection, stage_id: int, unit: int) -> list[SettledReplica]:
    """Return how a unit ended, the combined outcome first; nothing while it has not."""
    rows = connection.execute(
        text("""SELECT replica, shard_id, outcome, code, detail, output,
            encode(unit_hash, 'hex') AS unit_hash, source, missing, attempt, worker_id,
            duration_ms, usage, settled_at
          FROM results WHERE stage_id = :stage_id AND unit = :unit ORDER BY replica"""),
        {"stage_id": stage_id, "unit": unit},
    ).mappings()
    return [SettledReplica(**row) for row in rows]


def attempts(connection: Connection, stage_id: int, unit: int) -> list[KeptAttempt]:
    """Return the stored tries of a unit, oldest first."""
    rows = connection.execute(
        text("""SELECT replica, number, shard_id, outcome, code, detail, raw, raw_erased, usage,
            worker_id, duration_ms, ended_at
          FROM attempts WHERE stage_id = :stage_id AND unit = :unit ORDER BY number, replica"""),
        {"stage_id": stage_id, "unit": unit},
    ).mappings()
    return [KeptAttempt(**row) for row in rows]


def holders(connection: Connection, stage_id: int, unit: int) -> Sequence[Holder]:
    """Return the shards a unit was cut into and passed on to, oldest first."""
    rows = connection.execute(
        text("""SELECT id, status, worker_id, first_row, row_count, lost FROM shards
          WHERE stage_id = :stage_id AND :unit BETWEEN first_unit AND last_unit
            AND (only_units IS NULL OR :unit = ANY(only_units)) ORDER BY id LIMIT 100"""),
        {"stage_id": stage_id, "unit": unit},
    ).mappings()
    return [Holder(**row) for row in rows]
