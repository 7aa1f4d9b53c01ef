"""Outputs: the schema of a stage, and whether the result is what the job asked for."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from shared.contracts.findings import Finding, error
from shared.contracts.names import did_you_mean
from shared.domain.columns import Column, columns_of_schema
from shared.plans.columns import takes_output
from shared.plans.view import PlanView, StageView

MAX_OUTPUT_COLUMNS = 200
_WIDER: dict[str, set[str]] = {
    "string": {"date", "timestamp"},
    "number": {"integer"},
    "json": {"string", "integer", "number", "boolean", "date", "timestamp"},
}


def check_outputs(view: PlanView) -> Iterator[Finding]:
    """Yield findings on the stages' output schemas and on the result."""
    for stage in view.stages():
        yield from _stage_output(stage)
    yield from _result(view)


def _stage_output(stage: StageView) -> Iterator[Finding]:
    schema, manifest = stage.stage.output, stage.manifest
    takes = manifest is None or takes_output(manifest)
    if schema is None:
        if manifest is not None and manifest.output is None and not manifest.computed_output:
            detail = f"`{manifest.name}` needs `output`, the JSON Schema of one row it gives."
            yield error("missing_output", stage.pointer(), detail)
    elif not takes:
        detail = f"`{stage.stage.capability}` brings its own output; remove `output`."
        yield error("output_not_supported", stage.pointer("output"), detail)
    else:
        problem = schema_problem(schema)
        if problem is not None:
            yield error("invalid_output_schema", stage.pointer("output"), problem)


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Return why a schema cannot describe an output row, as a sentence, or None."""
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as problem:
        where = "/".join(str(part) for part in problem.absolute_path)
        return f"This is not a JSON Schema: {problem.message[:300]}" + (
            f" (at {where})." * bool(where)
        )
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict) or not properties:
        return "Describe one row: `type: object` with at least one property."
    if len(properties) > MAX_OUTPUT_COLUMNS:
        return f"Give at most {MAX_OUTPUT_COLUMNS} properties."
    wrong = [name for name in properties if not name or len(name) > 200 or name.startswith("_")]
    if wrong:
        return f"Rename the property `{wrong[0][:50]}`: 1 to 200 characters, no `_` in front."
    if _refers_out(schema):
        return "Write `$ref` to `#/$defs/...` only; nothing is fetched."
    return None


def _refers_out(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(_refers_out(item) for item in schema)
    if not isinstance(schema, Mapping):
        return False
    target = schema.get("$ref")
    outside = isinstance(target, str) and not target.startswith("#")
    return outside or any(_refers_out(value) for value in schema.values())


def _result(view: PlanView) -> Iterator[Finding]:
    name = view.plan.result
    stages = {stage.name for stage in view.plan.stages} | view.facts.earlier_stages
    if name not in stages:
        detail = f"The result must be a stage; there is no stage `{name}`." + did_you_mean(
            name, stages
        )
        yield error("unknown_result", "/result/table", detail)
    elif view.facts.output is not None and name in view.resolution.columns:
        for detail in _mismatches(view.facts.output, view.resolution.columns[name]):
            yield error("output_mismatch", "/result/table", detail)


def _mismatches(wanted: Mapping[str, Any], columns: tuple[Column, ...]) -> Iterator[str]:
    types = {column.name: column.type for column in columns}
    properties = columns_of_schema(dict(wanted))
    required = wanted.get("required", [])
    for column in properties:
        actual = types.get(column.name)
        if actual is None and column.name in required:
            yield f"The job asks for a column `{column.name}` that the result lacks; produce it."
        elif actual not in {None, column.type, *_WIDER.get(column.type, set())}:
            yield f"The job asks for `{column.name}` as {column.type}; the result has {actual}."
    if wanted.get("additionalProperties") is False:
        for name in sorted(types.keys() - {column.name for column in properties}):
            yield f"The job's `output` has no `{name}`; leave it out of the result."
