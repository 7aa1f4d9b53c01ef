"""Pilots: a few units of the stages that read what is there, before the rest is paid for."""

from typing import Any

from sqlalchemy import Connection, text

from shared.database import shards
from shared.database.engine import to_json
from shared.database.readiness import INPUTS_READY
from shared.database.stages import StageRecord
from shared.domain.shard import ShardRange

# A stage of a job that is piloting and has no pilot yet, though all its inputs are there.
DUE = f"""EXISTS (SELECT 1 FROM stages t WHERE t.job_id = j.id AND (
  (t.status = 'open' AND t.pilot_units IS NULL)
    OR (t.status = 'waiting' AND {INPUTS_READY})))"""
# Every unit that was to be piloted has its outcome.
OVER = f"""(NOT {DUE} AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.job_id = j.id
  AND s.status IN ('pending', 'dispatched', 'running')))"""


def begin(connection: Connection, stage: StageRecord, ranges: list[ShardRange]) -> bool:
    """Write one pending shard per pilot unit of an open stage; False when it has a pilot."""
    begun = connection.execute(
        text("""UPDATE stages SET pilot_units = :units WHERE id = :id AND status = 'open'
          AND pilot_units IS NULL AND cut_units = 0"""),
        {"id": stage.id, "units": [item.first_unit for item in ranges]},
    ).rowcount == 1  # fmt: skip
    if begun and ranges:
        shards.insert_cut(connection, stage.id, stage.job_id, stage.capability, stage.queue, ranges)
    return begun


def is_over(connection: Connection, job_id: str) -> bool:
    """True when a job that is piloting has nothing more to run before somebody decides."""
    found = text(f"SELECT 1 FROM jobs j WHERE id = :id AND status = 'piloting' AND {OVER}")
    return connection.execute(found, {"id": job_id}).one_or_none() is not None


def outcome(connection: Connection, stage_id: int) -> dict[str, int]:
    """Return what came out of a stage's units so far, and what they took, every attempt counted."""
    row = connection.execute(
        text("""SELECT count(*) FILTER (WHERE replica = 0) AS settled,
            count(*) FILTER (WHERE replica = 0 AND outcome = 'succeeded') AS succeeded,
            coalesce(sum(duration_ms) FILTER (WHERE replica = 0), 0)::bigint AS work_ms,
            coalesce(sum((usage->>'cost_microusd')::bigint), 0)::bigint
              + (SELECT coalesce(sum((usage->>'cost_microusd')::bigint), 0)::bigint
                 FROM attempts WHERE stage_id = :id) AS cost_microusd
          FROM results WHERE stage_id = :id"""),
        {"id": stage_id},
    ).mappings().one()  # fmt: skip
    return dict(row)


def note_report(connection: Connection, job_id: str, report: dict[str, Any]) -> None:
    """Put the report beside what was asked of the pilot."""
    connection.execute(
        text("""UPDATE jobs SET pilot = pilot || jsonb_build_object('report',
          CAST(:report AS jsonb)) WHERE id = :id"""),
        {"id": job_id, "report": to_json(report)},
    )
