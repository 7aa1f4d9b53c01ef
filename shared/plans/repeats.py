"""Tells a plan that repeats an earlier one, whatever it calls its stages; pure."""

from collections.abc import Mapping
from typing import Any

from shared.contracts.plan import PlanShapeError, dump_plan, load_plan, plan_hash


def stages_hash(document: Mapping[str, Any]) -> str:
    """Return a hash of what the stages of a plan document do; names of stages do not count.

    Spellings of one plan have one hash. A document that is no plan is hashed as it is.
    """
    try:
        stages = dump_plan(load_plan(document))["stages"]
    except PlanShapeError:
        stages = document.get("stages")
    listed = stages if isinstance(stages, list) else []
    numbers = {
        stage["name"]: f"stage {no}"
        for no, stage in enumerate(listed)
        if isinstance(stage, dict) and isinstance(stage.get("name"), str)
    }
    return plan_hash([_without_names(stage, numbers) for stage in listed])


def _without_names(stage: Any, numbers: Mapping[str, str]) -> Any:
    if not isinstance(stage, dict):
        return stage
    rest = {name: value for name, value in stage.items() if name not in ("name", "over")}
    over = stage.get("over")
    named = over if isinstance(over, list) else [over]
    return {**rest, "over": [numbers.get(n, n) if isinstance(n, str) else n for n in named]}
