"""Whether a plan acts on the outside, which only a plan with a yes may: pure."""

from shared.domain.plan import Plan, StagePlan
from shared.plans.facts import PlanFacts

AGENT = "agent"


def acts_outside(plan: Plan, facts: PlanFacts) -> bool:
    """Return True when a stage of a linted plan has external effects: itself, or by a tool."""
    return any(
        facts.capabilities[stage.capability].effects == "external" or external_tools(stage, facts)
        for stage in plan.stages
    )


def external_tools(stage: StagePlan, facts: PlanFacts) -> list[str]:
    """Return the tools with external effects that an agent's stage lists."""
    listed = stage.params.get("tools", []) if stage.capability == AGENT else []
    return [tool for tool in listed if tool in facts.external_tools]
