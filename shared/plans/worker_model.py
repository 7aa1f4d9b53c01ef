"""Which endpoint does the work of a plan where its job names another worker's model; pure."""

from dataclasses import replace

from shared.domain.plan import Plan, StagePlan

ROLE = "worker"
_CHOOSES_A_MODEL = frozenset({"llm", "agent"})


def with_worker(plan: Plan, endpoint: str | None) -> Plan:
    """Return the plan with `endpoint` wherever a stage leaves its model to the role `worker`.

    The plan's document stays as it is: this is how it runs and what it is priced as.
    """
    if endpoint is None or endpoint == ROLE:
        return plan
    return replace(plan, stages=tuple(_with_worker(stage, endpoint) for stage in plan.stages))


def _with_worker(stage: StagePlan, endpoint: str) -> StagePlan:
    if stage.capability not in _CHOOSES_A_MODEL or stage.params.get("model", ROLE) != ROLE:
        return stage
    return replace(stage, params={**stage.params, "model": endpoint})
