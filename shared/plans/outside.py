"""Whether a plan acts on the outside, which only a plan with a yes may: pure."""

from shared.domain.plan import Plan
from shared.plans.facts import PlanFacts


def acts_outside(plan: Plan, facts: PlanFacts) -> bool:
    """Return True when a stage of a linted plan runs a capability with external effects."""
    return any(facts.capabilities[stage.capability].effects == "external" for stage in plan.stages)
