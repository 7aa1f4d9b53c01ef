"""A plan without the tables it will run on: which inputs it wants, and what can be checked."""

from dataclasses import replace

from shared.contracts.findings import Finding
from shared.contracts.names import is_name
from shared.domain.plan import Plan
from shared.plans.columns import resolve
from shared.plans.facts import PlanFacts, TableFacts
from shared.plans.lint import findings_of
from shared.plans.order import dependencies
from shared.plans.view import PlanView


def inputs_wanted(plan: Plan) -> list[str]:
    """Return the tables a plan reads and does not make itself: its inputs."""
    made = {*plan.tables, *(stage.name for stage in plan.stages)}
    read = [name for stage in plan.stages for name in dependencies(stage)]
    return [name for name in dict.fromkeys(read) if name not in made]


def lint_unbound(plan: Plan, facts: PlanFacts) -> list[Finding]:
    """Return what `lint` finds whatever the inputs: nothing that depends on columns or counts.

    `facts` hold no tables. Inputs no request could name (`Tickets`) stay unknown.
    """
    inputs = {name: TableFacts((), rows=1) for name in inputs_wanted(plan) if is_name(name)}
    columns = resolve(plan, facts)  # of what the plan makes itself
    return findings_of(PlanView(plan, replace(facts, tables=inputs), columns))
