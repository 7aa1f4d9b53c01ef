"""Why a stage or a job does not go on right now: a machine-readable reason, or None."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_AT_WORK = frozenset({"running", "piloting"})


@dataclass(frozen=True, slots=True)
class Postponed:
    """The next of a stage's units that are tried again later, as its last attempt tells.

    `code` says what the attempt ended with, `model` which one was asked, where one was.
    """

    until: str
    code: str | None
    model: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class StageSituation:
    """What decides the reason. Times are RFC 3339 text; counts are of the stage's shards."""

    status: str
    stored_reason: dict[str, Any] | None  # written where something went wrong; it wins
    job_status: str
    job_reason: dict[str, Any] | None  # stored with the job
    capability: str
    has_worker: bool  # some live worker has the capability
    unsealed_inputs: Sequence[str]
    running: int  # units being worked
    ready_shards: int  # due now, nobody has them
    postponed: Postponed | None  # None when nothing is to be tried again
    fully_cut: bool
    open_ended: bool = False  # records may still come
    held: dict[str, Any] | None = None  # why the whole project waits


def stage_wait(stage: StageSituation) -> dict[str, Any] | None:
    """Return ``{"kind": ...}`` with the facts of that kind, None for what ended or runs."""
    if stage.stored_reason or stage.status in {"closed", "abandoned"}:
        return stage.stored_reason
    if stage.running:
        return None
    if stage.job_status not in _AT_WORK:  # a stage of a job that rests waits for what the job does
        return job_wait(stage.job_status, stage.job_reason, [])
    if stage.status == "waiting":
        if stage.unsealed_inputs:
            return {"kind": "inputs", "tables": list(stage.unsealed_inputs)}
        return {"kind": "planner"}
    if stage.held:
        return stage.held
    if stage.ready_shards and not stage.has_worker:
        return {"kind": "no_worker", "capability": stage.capability}
    if stage.ready_shards:
        return {"kind": "window"}
    if stage.postponed:
        return _postponed(stage.postponed)
    if stage.open_ended:
        return {"kind": "records"}
    return {"kind": "collector"} if stage.fully_cut else {"kind": "cutting"}


def job_wait(
    status: str, stored_reason: dict[str, Any] | None, stages: Sequence[dict[str, Any] | None],
    held: dict[str, Any] | None = None,
) -> dict[str, Any] | None:  # fmt: skip
    """Return the job's own reason, else that of its first stage that waits while none runs.

    `stages` holds the reasons of the stages that have not ended, None for one that runs. `held`
    is why its whole project waits, where it does.
    """
    if held and status in {"queued", "planning", "piloting", "running"}:
        return held
    if stored_reason:
        return stored_reason
    if status in {"queued", "planning"}:
        return {"kind": "planner"}
    if status == "awaiting_approval":
        return {"kind": "approval"}
    if status == "finalizing":
        return {"kind": "collector"}
    if status not in _AT_WORK or None in stages:
        return None
    waits = [reason for reason in stages if reason and reason["kind"] != "inputs"]
    return waits[0] if waits else {"kind": "collector"}


def _postponed(unit: Postponed) -> dict[str, Any]:
    """Return what a unit waits for: a limit of a model, a budget, or its own back-off."""
    if unit.code == "rate_limited":
        return {"kind": "rate_limited", "model": unit.model, "until": unit.until}
    if unit.code == "budget":
        return {"kind": "budget", "until": unit.until}
    told = {"kind": "backoff", "attempt": unit.attempt, "until": unit.until}
    return told | ({"code": unit.code} if unit.code else {})
