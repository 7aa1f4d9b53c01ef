"""Which engine plans a job."""

from typing import Literal

from services.planner.planning_task import PlanningTask
from shared.llm.endpoints import Endpoint

EngineName = Literal["given", "direct", "model", "rules"]
CHARS_PER_TOKEN = 3


def choose_engine(task: PlanningTask, planner: Endpoint | None) -> EngineName:
    """Return the engine of a round: what was asked for, or what `auto` comes to.

    `auto`: a plan that was given; else, with a model, one direct call where the inputs are texts
    that fit into it (or nothing), and a planned job elsewhere; else the rules.
    """
    if task.round > 1:
        return "model"
    if task.job.given_plan is not None:
        return "given"
    if task.job.planning == "auto":
        if planner is None:
            return "rules"
        return "direct" if _direct_will_do(task) else "model"
    asked: dict[str, EngineName] = {
        "given": "given", "direct": "direct", "model": "model", "rules": "rules",
    }  # fmt: skip
    return asked[task.job.planning]


def _direct_will_do(task: PlanningTask) -> bool:
    if set(task.facts.tables) - task.texts or "llm" not in task.facts.capabilities:
        return False
    chars = sum(sum(table.mean_chars.values()) for table in task.facts.tables.values())
    return chars / CHARS_PER_TOKEN <= task.facts.limits.max_unit_tokens
