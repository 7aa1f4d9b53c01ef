"""Templates: who takes one, what its placeholders may name, and that a unit is named at all."""

from collections.abc import Iterator

from shared.contracts.findings import Finding, error
from shared.contracts.names import did_you_mean
from shared.plans.columns import emits
from shared.plans.render import CompiledTemplate, Placeholder, compile_template
from shared.plans.view import PlanView, StageView

NEEDS_TEMPLATE = frozenset({"llm", "agent"})
TAKES_NONE = frozenset({"split", "sql", "redact", "summarize", "extract", "fetch", "chat"})


def check_templates(view: PlanView) -> Iterator[Finding]:
    """Yield findings on templates of all stages."""
    for stage in view.stages():
        capability, template = stage.stage.capability, stage.stage.template
        if template is None:
            if capability in NEEDS_TEMPLATE:
                detail = f"`{capability}` needs a template with `instructions` and `input`."
                yield error("missing_template", stage.pointer(), detail)
        elif capability in TAKES_NONE or stage.reads_tables:
            detail = f"`{capability}` takes no template; say it in `params`, or use `llm`."
            yield error("template_not_supported", stage.pointer("template"), detail)
        else:
            yield from _instructions(view, stage, compile_template(template.instructions))
            yield from _input(view, stage, compile_template(template.input))


def _instructions(
    view: PlanView, stage: StageView, template: CompiledTemplate
) -> Iterator[Finding]:
    pointer = stage.pointer("template", "instructions")
    yield from _unfinished(template, pointer)
    for placeholder in template.placeholders:
        if placeholder.kind == "table.column":
            yield from _of_table(view, placeholder, pointer)
        else:
            detail = (
                f"The instructions are alike for all units; move `{{{{ {placeholder.text} }}}}` "
                "to `input`."
            )
            yield error("unknown_placeholder", pointer, detail)


def _input(view: PlanView, stage: StageView, template: CompiledTemplate) -> Iterator[Finding]:
    pointer = stage.pointer("template", "input")
    yield from _unfinished(template, pointer)
    for placeholder in template.placeholders:
        if placeholder.kind == "table.column":
            yield from _of_table(view, placeholder, pointer)
        elif stage.columns is not None and placeholder.kind != "rows":
            yield from _of_unit(stage, placeholder, pointer)
    names_unit = any(part.kind != "table.column" for part in template.placeholders)
    names_unit = names_unit or bool(stage.stage.params.get("images"))  # they differ by unit
    if not names_unit and _many_units(view, stage):
        detail = (
            "Every unit would get this same text; name what differs, for instance "
            "`{{ column }}` or `{{ rows }}`."
        )
        yield error("template_without_placeholder", pointer, detail)


def _unfinished(template: CompiledTemplate, pointer: str) -> Iterator[Finding]:
    if any("{{" in part for part in template.parts if isinstance(part, str)):
        detail = "`{{` opens a placeholder that is empty or never closed by `}}`."
        yield error("unknown_placeholder", pointer, detail)


def _of_unit(stage: StageView, placeholder: Placeholder, pointer: str) -> Iterator[Finding]:
    unit, name = stage.stage.unit, placeholder.column
    shown = f"`{{{{ {placeholder.text} }}}}`"
    column = stage.column(name)
    if column is None:
        known = [known_column.name for known_column in stage.columns or ()]
        detail = f"{shown} names no column of `{stage.stage.over[0]}`." + did_you_mean(name, known)
        yield error("unknown_placeholder", pointer, detail)
    elif placeholder.kind == "column" and not unit.single_row and name not in unit.group_by:
        detail = (
            f"{shown} has many values in a unit of several rows; write `{{{{ rows.{name} }}}}`."
        )
        yield error("unknown_placeholder", pointer, detail)


def _of_table(view: PlanView, placeholder: Placeholder, pointer: str) -> Iterator[Finding]:
    table, shown = placeholder.table, f"`{{{{ {placeholder.text} }}}}`"
    if table not in view.table_names:
        detail = f"{shown} names no table." + did_you_mean(table, view.table_names)
        yield error("unknown_placeholder", pointer, detail)
        return
    columns = view.resolution.columns.get(table)
    if columns is not None and placeholder.column not in {column.name for column in columns}:
        known = [column.name for column in columns]
        detail = f"{shown} names no column of `{table}`." + did_you_mean(placeholder.column, known)
        yield error("unknown_placeholder", pointer, detail)
    elif not has_one_row(view, table):
        detail = f"`{table}` has not exactly one row, so {shown} has no single value."
        yield error("not_one_row", pointer, detail)


def has_one_row(view: PlanView, table: str) -> bool:
    """Return True when a table is known to have exactly one row, if its stage succeeds."""
    if table in view.facts.tables:
        return view.facts.tables[table].rows == 1
    if table in view.plan.tables:
        return len(view.plan.tables[table]) == 1
    stage = next(stage for stage in view.plan.stages if stage.name == table)
    one_each = emits(stage, view.facts.capabilities.get(stage.capability)) == "one"
    return one_each and stage.unit.kind == "table"


def _many_units(view: PlanView, stage: StageView) -> bool:
    if stage.stage.unit.kind == "table" or stage.stage.over[0] not in view.table_names:
        return False
    return not has_one_row(view, stage.stage.over[0])
