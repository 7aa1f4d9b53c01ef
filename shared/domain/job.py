"""The states of a job, who sets each, and how a job ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

JobStatus = Literal[
    "queued",  # api: stored, waits for a planner
    "planning",  # planner: holds the planning lease
    "piloting",  # planner: a few units run first
    "awaiting_approval",  # planner, or collector after a pilot: a person decides
    "running",  # planner: the plan is visible, its stages are worked
    "paused",  # operator, budget or breaker: nothing new starts, /resume goes on
    "finalizing",  # api or collector: no new work; the record is being written
    "succeeded",  # collector: every stage reached min_success
    "partial",  # collector: some units are missing and the policy allows it
    "failed",  # collector or planner: `error` says why
    "cancelled",  # collector: a client asked
]
FINAL: frozenset[str] = frozenset({"succeeded", "partial", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class StageLedger:
    """The counts of one stage that will not change any more; `units` 0 where never cut."""

    name: str
    status: str  # closed or abandoned
    is_result: bool
    units: int
    succeeded: int
    failed: int
    skipped: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends: a final status and, unless all went well, an error that says why."""

    status: str
    error: dict[str, Any] | None


def ending_of(
    ledgers: Sequence[StageLedger], *, min_success: float, on_shortfall: str,
    finish_as: str | None, early: str | None = None,
) -> Ending:  # fmt: skip
    """Apply the finish policy (01 section 5) to the ledgers of every stage.

    The lowest share of succeeded units over all stages decides; an abandoned stage has share 0,
    a closed stage without units 1. No succeeded unit in the result: failed, whatever the policy.
    A job that was stopped ends as it was told (`finish_as`). One that finished early (`early` says
    why: ``finalized``, ``deadline``) may not even have stages.
    """
    if finish_as is not None:
        return Ending(finish_as, None)
    abandoned = [ledger.name for ledger in ledgers if ledger.status == "abandoned"]
    result = next((ledger for ledger in ledgers if ledger.is_result), None)
    if result is None or result.status == "abandoned" or result.succeeded == 0:
        if early is not None:
            return Ending("failed", _nothing_yet(early))
        if result is None:
            raise LookupError("a job without a result stage ended by itself")
        return Ending("failed", _no_result(result, abandoned))
    worst = min(ledgers, key=_share)
    if _share(worst) >= min_success:
        return Ending("succeeded", None)
    error = {
        "code": "below_min_success",
        "detail": f"Stage {worst.name}: {worst.succeeded} of {worst.units} units succeeded; "
        f"the policy asks for a share of at least {min_success:g}.",
    }
    return Ending("failed" if on_shortfall == "failed" else "partial", error)


def _share(ledger: StageLedger) -> float:
    if ledger.status == "abandoned":
        return 0.0
    return ledger.succeeded / ledger.units if ledger.units else 1.0


def _nothing_yet(early: str) -> dict[str, Any]:
    told = "The deadline passed" if early == "deadline" else "The job was finalized"
    return {"code": "no_result", "detail": f"{told} before its result had a succeeded unit."}


def _no_result(result: StageLedger, abandoned: list[str]) -> dict[str, Any]:
    if abandoned:
        detail = f"Abandoned: {', '.join(abandoned)}; too many units failed before the result."
    elif result.units == 0:
        detail = f"Stage {result.name} had no units: its input table is empty."
    else:
        detail = f"None of the {result.units} units of stage {result.name} succeeded."
    return {"code": "no_result", "detail": detail}
