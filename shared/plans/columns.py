"""The columns of every table of a plan: kept ones, the capability's own, and the agreement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.capabilities.contract import Manifest
from shared.contracts.output_schema import strict_schema
from shared.domain.columns import Column, columns_of_schema
from shared.domain.plan import Plan, StagePlan
from shared.plans.facts import OutputOf, OutputProblem, PlanFacts
from shared.plans.order import stage_order
from shared.plans.params import params_findings
from shared.tables.readers.json_types import infer_columns

AGREEMENT = Column("_agreement", "number")
KeptMode = Literal["value", "list"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What could be worked out of a plan; a table that could not be is absent everywhere.

    `outputs` holds the output schema of one row per stage, `problems` why one has none.
    """

    columns: dict[str, tuple[Column, ...]]
    keys: dict[str, tuple[str, ...]]
    outputs: dict[str, dict[str, Any]]
    problems: dict[str, OutputProblem]


def table_columns(plan: Plan, facts: PlanFacts) -> dict[str, tuple[Column, ...]]:
    """Return the columns of every input, literal and stage table that can be known."""
    return resolve(plan, facts).columns


def table_keys(plan: Plan, facts: PlanFacts) -> dict[str, tuple[str, ...]]:
    """Return which input key columns each known table carries (none: an empty tuple)."""
    return resolve(plan, facts).keys


def resolve(plan: Plan, facts: PlanFacts) -> Resolution:
    """Work out columns, keys and output schemas of all tables, stages in running order."""
    found = Resolution({}, {}, {}, {})
    for name, table in facts.tables.items():
        found.columns[name] = table.columns
        found.keys[name] = (table.key,) if table.key is not None else ()
    for name, rows in plan.tables.items():
        found.columns[name] = infer_columns(rows)
        found.keys[name] = ()
    stages = {stage.name: stage for stage in reversed(plan.stages)}
    for name in stage_order(plan):
        _resolve_stage(stages[name], facts, found)
    return found


def kept_columns(
    stage: StagePlan,
    columns: Iterable[Column],
    keys: Iterable[str] = (),
    *,
    reads_tables: bool = False,
) -> list[tuple[Column, KeptMode]]:
    """Return the input columns a stage carries to its output, in the input's order.

    `columns` and `keys` are those of the table the stage is over. Carried are `keep`, the group
    keys, and through row units the input's keys. Mode `value`: the value of the unit's row, or
    the group key; `list`: the values of the unit's rows in order, as a `json` column. Units
    over whole tables (`reads_tables`, as `sql`) carry nothing.
    """
    if reads_tables:
        return []
    names = {*stage.keep, *stage.unit.group_by}
    if stage.unit.kind == "rows":
        names.update(keys)
    return [_kept(stage, column) for column in columns if column.name in names]


def output_schema(
    stage: StagePlan,
    inputs: Mapping[str, tuple[Column, ...]],
    manifest: Manifest | None,
    output_of: OutputOf,
) -> dict[str, Any] | OutputProblem | None:
    """Return the JSON Schema of one row of the capability's own output (no kept columns).

    None when nothing tells it: no `output` in the stage and no manifest.
    """
    if stage.output is not None and (manifest is None or takes_output(manifest)):
        strict = strict_schema(stage.output)
        return _with_sources(strict) if stage.capability == "agent" else strict
    if manifest is None:
        return None
    if not manifest.computed_output:
        return manifest.output
    described = {name: [column.to_json() for column in columns] for name, columns in inputs.items()}
    return output_of(manifest.name, described, stage.params)


def output_columns(
    stage: StagePlan,
    inputs: Mapping[str, tuple[Column, ...]],
    keys: Iterable[str],
    schema: Mapping[str, Any],
    *,
    reads_tables: bool = False,
) -> tuple[Column, ...]:
    """Return all columns of a stage's table: kept, then `schema`'s, then the agreement score.

    `inputs` maps the names in `over` to their columns, `keys` are those of the first.
    """
    columns = inputs[stage.over[0]]
    kept = [column for column, _ in kept_columns(stage, columns, keys, reads_tables=reads_tables)]
    own = columns_of_schema(dict(schema))
    agreement = (AGREEMENT,) if stage.replicas > 1 else ()
    names = {column.name for column in own}
    return (*(column for column in kept if column.name not in names), *own, *agreement)


def takes_output(manifest: Manifest) -> bool:
    """Return True when the stage's `output` says what a capability gives back."""
    brings_own = manifest.output is not None or manifest.computed_output
    return manifest.name in {"llm", "agent"} or not brings_own


def emits(stage: StagePlan, manifest: Manifest | None) -> str:
    """Return ``one`` or ``many`` rows per unit; the manifest's where the plan is silent."""
    if stage.emit is not None:
        return stage.emit
    return "one" if manifest is None else manifest.emits


def _resolve_stage(stage: StagePlan, facts: PlanFacts, found: Resolution) -> None:
    inputs = {name: found.columns[name] for name in stage.over if name in found.columns}
    manifest = facts.capabilities.get(stage.capability)
    if stage.name in found.columns or len(inputs) < len(set(stage.over)):
        return
    if manifest is not None and params_findings(manifest, stage.params, ""):
        return  # output functions may rely on the schema of their parameters
    schema = output_schema(stage, inputs, manifest, facts.output_of)
    if isinstance(schema, OutputProblem):
        found.problems[stage.name] = schema
    elif schema is not None and isinstance(schema.get("properties"), dict):
        reads = manifest is not None and manifest.reads == "tables"
        keys = found.keys[stage.over[0]]
        columns = output_columns(stage, inputs, keys, schema, reads_tables=reads)
        found.outputs[stage.name] = schema
        found.columns[stage.name] = columns
        kept = kept_columns(stage, inputs[stage.over[0]], keys, reads_tables=reads)
        found.keys[stage.name] = tuple(column.name for column, _ in kept if column.name in keys)


def _kept(stage: StagePlan, column: Column) -> tuple[Column, KeptMode]:
    if stage.unit.single_row or column.name in stage.unit.group_by:
        return column, "value"
    return Column(column.name, "json"), "list"


def _with_sources(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {**schema.get("properties", {}), "sources": {"type": "array"}}
    return {**schema, "properties": properties, "required": list(properties)}
