"""What a pilot says of the whole job, and whether that is good enough to go on unasked: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class PilotedStage:
    """One stage and what came out of its pilot; nothing `settled` where it had none.

    `units` is None while unknown. `expected_microusd` is its price in the plan.
    """

    name: str
    units: int | None
    expected_microusd: int
    settled: int = 0
    succeeded: int = 0
    cost_microusd: int = 0
    work_ms: int = 0


def report_of(piloted: Sequence[PilotedStage]) -> dict[str, Any]:
    """Return the report: per stage and in all, what it took and what that makes for every unit.

    Cost and time of a stage without a pilot come from the plan's price: its input is not there
    yet. `success` is the lowest share of succeeded units over the stages that had one.
    """
    stages = [_stage(stage) for stage in piloted]
    shares = [stage["success"] for stage in stages if stage["success"] is not None]
    names = ("settled", "succeeded", "cost_microusd", "work_ms")
    return {
        **{name: sum(stage[name] for stage in stages) for name in names},
        "success": min(shares, default=None),
        "expected_cost_microusd": sum(stage["expected_cost_microusd"] for stage in stages),
        "expected_work_ms": sum(stage["expected_work_ms"] or 0 for stage in stages),
        "stages": stages,
    }


def good_enough(report: Mapping[str, Any], limits: Mapping[str, Any] | None) -> bool:
    """Return True when the report lies within `auto_approve`; False without such limits."""
    if not limits or report["success"] is None:
        return False
    most, least = limits.get("max_usd"), limits.get("min_success")
    dear = most is not None and report["expected_cost_microusd"] > most * _MICRO
    return not dear and (least is None or report["success"] >= least)


def _stage(stage: PilotedStage) -> dict[str, Any]:
    factor = (stage.units or 0) / stage.settled if stage.settled else None
    return {
        "name": stage.name,
        "units": stage.units,
        "settled": stage.settled,
        "succeeded": stage.succeeded,
        "success": stage.succeeded / stage.settled if stage.settled else None,
        "cost_microusd": stage.cost_microusd,
        "work_ms": stage.work_ms,
        "expected_cost_microusd": stage.expected_microusd
        if factor is None
        else round(stage.cost_microusd * factor),
        "expected_work_ms": None if factor is None else round(stage.work_ms * factor),
    }
