"""Which stage waits for which, and an order in which all can run."""

from shared.domain.plan import Plan, StagePlan
from shared.plans.render import references


def dependencies(stage: StagePlan) -> tuple[str, ...]:
    """Return the tables a stage reads: `over`, then the one-row tables of its template."""
    return tuple(dict.fromkeys((*stage.over, *sorted(references(stage)))))


def stage_order(plan: Plan) -> list[str]:
    """Return stage names so that each follows what it reads, else in the document's order.

    Stages on a cycle, and those that wait for one, are left out; `waiting_for_ever` names them.
    """
    waiting = {stage.name: _waits_for(plan, stage) for stage in plan.stages}
    order: list[str] = []
    while ready := next((name for name in waiting if not waiting[name] & waiting.keys()), None):
        order.append(ready)
        del waiting[ready]
    return order


def waiting_for_ever(plan: Plan) -> list[str]:
    """Return the names of the stages that lie on a cycle, in the document's order."""
    names = {stage.name: _waits_for(plan, stage) for stage in plan.stages}
    return [name for name in names if name in _reachable(names, name)]


def _waits_for(plan: Plan, stage: StagePlan) -> set[str]:
    stages = {other.name for other in plan.stages}
    return set(dependencies(stage)) & stages


def _reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(edges[name])
    return seen
