"""Names and the graph: what exists, what is named twice, what waits for itself or for nobody."""

from collections.abc import Iterator

from shared.contracts.findings import Finding, error, json_pointer
from shared.contracts.names import did_you_mean
from shared.plans.order import dependencies, waiting_for_ever
from shared.plans.view import PlanView


def check_tables(view: PlanView) -> Iterator[Finding]:
    """Yield findings on literal tables, names, `over`, cycles and stages nobody reads."""
    yield from _literals(view)
    yield from _duplicates(view)
    yield from _unknown(view)
    yield from _cyclic(view)
    yield from _unused(view)


def _literals(view: PlanView) -> Iterator[Finding]:
    for name, rows in view.plan.tables.items():
        if not any(rows):
            detail = f"Give `{name}` at least one row with a column, or remove the table."
            yield error("empty_table", json_pointer("tables", name), detail)


def _duplicates(view: PlanView) -> Iterator[Finding]:
    taken = set(view.facts.tables)
    for name in view.plan.tables:
        if name in taken:
            detail = f"An input is called `{name}` already; rename the literal table."
            yield error("duplicate_name", json_pointer("tables", name), detail)
        taken.add(name)
    for stage in view.stages():
        name = stage.stage.name
        if name in taken:
            detail = f"`{name}` names another table already; rename this stage."
            yield error("duplicate_name", stage.pointer("name"), detail)
        taken.add(name)


def _unknown(view: PlanView) -> Iterator[Finding]:
    known = view.table_names
    for stage in view.stages():
        for position, name in enumerate(stage.stage.over):
            if name not in known:
                detail = f"There is no table `{name}`." + did_you_mean(name, known)
                yield error("unknown_table", stage.over_pointer(position), detail)
            elif name in stage.stage.over[:position]:
                detail = f"`{name}` is named twice; name each table once."
                yield error("duplicate_name", stage.over_pointer(position), detail)


def _cyclic(view: PlanView) -> Iterator[Finding]:
    looping = set(waiting_for_ever(view.plan))
    for stage in view.stages():
        if stage.stage.name in looping:
            detail = (
                f"`{stage.stage.name}` waits for its own output; a stage may only read inputs, "
                "literal tables and stages that close before it."
            )
            yield error("cyclic", stage.pointer("over"), detail)


def _unused(view: PlanView) -> Iterator[Finding]:
    if view.plan.then == "replan":
        return  # the next round may read any table
    used = {name for stage in view.plan.stages for name in dependencies(stage)}
    for stage in view.stages():
        name = stage.stage.name
        if name not in used and name != view.plan.result:
            detail = f"Nothing reads `{name}` and it is not the result; use it or remove it."
            yield error("unused_stage", stage.pointer(), detail)
