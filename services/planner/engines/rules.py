"""The offline engine: recognises a documented set of goals by pattern."""

from services.planner.engines import NotPlanned, Planned
from shared.database.jobs import JobRecord
from shared.plans.facts import PlanFacts
from shared.plans.rules import RulesRefusal, plan_by_rules


def plan(job: JobRecord, facts: PlanFacts) -> Planned | NotPlanned:
    """Return the plan the rules write for the job's goal over the tables at hand."""
    written = plan_by_rules(job.goal or "", facts)
    if isinstance(written, RulesRefusal):
        return NotPlanned(written.code, written.detail, written.can_do)
    return Planned("rules", written)
