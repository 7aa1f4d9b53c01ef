"""Which stages work off a table that is still open, and which wait for its end: pure."""

from shared.domain.plan import StagePlan
from shared.plans.facts import PlanFacts


def open_inputs(facts: PlanFacts) -> set[str]:
    """Return the inputs that rows may still be appended to."""
    return {name for name, table in facts.tables.items() if table.rows is None}


def works_while_open(stage: StagePlan, facts: PlanFacts) -> bool:
    """Return True for a stage whose units are single rows of an open table, each by itself.

    Units of several rows, context rows, groups and whole tables could change with the next row, so
    such stages wait for the end; and so does what is downstream of any stage.
    """
    manifest = facts.capabilities.get(stage.capability)
    if manifest is None or manifest.reads == "tables" or len(stage.over) != 1:
        return False
    alone = stage.unit.single_row and stage.unit.overlap == 0
    return alone and stage.over[0] in open_inputs(facts)
