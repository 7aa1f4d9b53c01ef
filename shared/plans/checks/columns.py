"""The columns a stage names: fields, kept ones, groups, orders, and what collides."""

from collections.abc import Iterator

from shared.contracts.findings import Finding, error
from shared.contracts.names import did_you_mean
from shared.plans.columns import AGREEMENT, kept_columns
from shared.plans.view import PlanView, StageView

_TAKES_FIELD = {"split", "redact", "summarize", "extract", "fetch", "chat"}


def check_columns(view: PlanView) -> Iterator[Finding]:
    """Yield findings on columns; stages whose input is unknown are passed over."""
    for stage in view.stages():
        if stage.reads_tables:
            yield from _nothing_kept(stage)
        elif stage.columns is not None:
            yield from _field(stage)
            yield from _keep(stage)
            yield from _groups(stage)
            yield from _collisions(view, stage)


def _nothing_kept(stage: StageView) -> Iterator[Finding]:
    if stage.stage.keep:
        detail = "Nothing is carried through whole tables; select the columns in the query."
        yield error("keep_not_supported", stage.pointer("keep"), detail)


def _field(stage: StageView) -> Iterator[Finding]:
    field = stage.stage.params.get("field")
    if stage.stage.capability in _TAKES_FIELD and isinstance(field, str):
        yield from _exists(stage, field, ("params", "field"))


def _keep(stage: StageView) -> Iterator[Finding]:
    for position, name in enumerate(stage.stage.keep):
        yield from _exists(stage, name, ("keep", position))


def _groups(stage: StageView) -> Iterator[Finding]:
    unit = stage.stage.unit
    for part, names in (("group_by", unit.group_by), ("order_by", unit.order_by)):
        for position, name in enumerate(names):
            yield from _exists(stage, name, ("unit", part, position))
            column = stage.column(name)
            if column is not None and column.type == "json":
                detail = f"`{name}` holds JSON, which has no order; name a column of simple values."
                yield error("json_column", stage.pointer("unit", part, position), detail)


def _collisions(view: PlanView, stage: StageView) -> Iterator[Finding]:
    schema = view.resolution.outputs.get(stage.stage.name, {})
    own = {*schema.get("properties", {}), *([AGREEMENT.name] if stage.stage.replicas > 1 else [])}
    for column, _ in kept_columns(stage.stage, stage.columns or (), stage.keys):
        if column.name in own:
            detail = (
                f"`{column.name}` is kept from the input and is an output of "
                f"`{stage.stage.capability}` too; {_remedy(stage, column.name)}."
            )
            yield error("keep_collides", _kept_at(stage, column.name), detail)


def _remedy(stage: StageView, name: str) -> str:
    if name in stage.stage.keep:
        return "drop it from `keep` or rename the output"
    return "group keys and input keys are always kept, so rename the output or the column"


def _kept_at(stage: StageView, name: str) -> str:
    if name in stage.stage.keep:
        return stage.pointer("keep", stage.stage.keep.index(name))
    if name in stage.stage.unit.group_by:
        return stage.pointer("unit", "group_by", stage.stage.unit.group_by.index(name))
    field = "params" if stage.stage.output is None else "output"
    return stage.pointer(field)


def _exists(stage: StageView, name: str, where: tuple[str | int, ...]) -> Iterator[Finding]:
    if stage.column(name) is None:
        known = [column.name for column in stage.columns or ()]
        detail = f"`{stage.stage.over[0]}` has no column `{name}`." + did_you_mean(name, known)
        yield error("unknown_column", stage.pointer(*where), detail)
