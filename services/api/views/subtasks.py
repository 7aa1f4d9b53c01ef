"""One subtask as a JSON object: input, prompt, tries, outcome, and where all of it comes from."""

from dataclasses import asdict
from typing import Any

from services.api.answers import moment
from services.api.results.lineage import source_rows, whole
from services.api.views.jobs import NO_USAGE
from shared.actions.show_subtask import Subtask
from shared.database.plans import PlanRecord
from shared.database.subtasks import KeptAttempt, SettledReplica

_RUNNING, _WAITING, _SETTLED = "running", "waiting", "settled"


def subtask_detail(found: Subtask, plan: PlanRecord | None) -> dict[str, Any]:
    """Return everything about a unit; what it has not come to yet is null."""
    end = found.settled[0] if found.settled else None
    return {
        "stage": found.stage.name,
        "unit": found.unit,
        "state": _state(found),
        "outcome": end.outcome if end else None,
        "error": None
        if end is None or end.outcome == "succeeded"
        else {"code": end.code, "detail": end.detail},
        "input": asdict(found.input),
        "prompt": asdict(found.prompt),
        "attempts": _attempts(found, end),
        "output": end.output if end else None,
        "replicas": [_replica(one) for one in found.settled if one.replica > 0],
        "lineage": _lineage(found, end),
        "provenance": _provenance(found, end, plan),
        "usage": {name: ((end and end.usage) or {}).get(name, 0) for name in NO_USAGE},
        "attempt": end.attempt if end else None,
        "worker": end.worker_id if end else None,
        "duration_ms": end.duration_ms if end else None,
        "settled_at": moment(end.settled_at) if end else None,
    }


def _state(found: Subtask) -> str:
    if found.settled:
        return _SETTLED
    running = any(shard.status == "running" for shard in found.holders)
    return _RUNNING if running else _WAITING


def _attempts(found: Subtask, end: SettledReplica | None) -> list[dict[str, Any]]:
    """Return every try; a success at the first one has no row of its own, so it is made here.

    What the model said of such a one was the output itself, and is not kept twice.
    """
    told = [_attempt(one) for one in found.attempts]
    if end is None or end.outcome in ("skipped", "cancelled"):
        return told
    if any(one.number == end.attempt and one.outcome != "retry" for one in found.attempts):
        return told
    last = {
        "replica": 0, "number": end.attempt, "outcome": end.outcome, "code": end.code,
        "detail": end.detail, "raw": None, "raw_status": "none", "usage": end.usage,
        "worker_id": end.worker_id, "duration_ms": end.duration_ms,
        "ended_at": moment(end.settled_at),
    }  # fmt: skip
    return [*told, last]


def _attempt(one: KeptAttempt) -> dict[str, Any]:
    kept = "kept" if one.raw is not None else "none"
    return {
        "replica": one.replica,
        "number": one.number,
        "outcome": one.outcome,
        "code": one.code,
        "detail": one.detail,
        "raw": one.raw,
        "raw_status": "erased" if one.raw_erased else kept,
        "usage": one.usage,
        "worker_id": one.worker_id,
        "duration_ms": one.duration_ms,
        "ended_at": moment(one.ended_at),
    }


def _replica(one: SettledReplica) -> dict[str, Any]:
    return {
        "replica": one.replica,
        "outcome": one.outcome,
        "code": one.code,
        "detail": one.detail,
        "output": one.output,
        "unit_hash": one.unit_hash,
        "duration_ms": one.duration_ms,
    }


def _lineage(found: Subtask, end: SettledReplica | None) -> dict[str, Any] | None:
    """Return the tables and rows the unit came from; of a group only once it is settled."""
    if found.source is None or (end is None and found.stage.spec["unit"].get("group_by")):
        return None
    runs = source_rows(found.stage, found.source, found.unit, end.source if end else None)
    sources = [
        {"table": found.source.id, "name": found.source.name, "rows": runs},
        *(whole(table) for table in found.others),
    ]
    return {"sources": sources, "missing": end.missing if end else 0}


def _provenance(
    found: Subtask, end: SettledReplica | None, plan: PlanRecord | None
) -> dict[str, Any]:
    return {
        "plan_version": found.stage.plan_version,
        "plan_hash": plan.hash if plan else None,
        "capability": found.stage.capability,
        "capability_version": found.stage.capability_version,
        "model": found.stage.spec["params"].get("model"),
        "unit_hash": end.unit_hash if end else None,
        "reused": bool(((end and end.usage) or {}).get("cache_hits")),
        "shards": [
            {"id": shard.id, "status": shard.status, "worker": shard.worker_id, "lost": shard.lost}
            for shard in found.holders
        ],
    }
