"""The plan document: one schema for plans of clients, of the model and of the rules."""

import hashlib
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from shared.contracts.findings import Finding, error, json_pointer
from shared.contracts.json_values import canonical_json, value_findings
from shared.contracts.plan_fields import (
    JsonObject,
    Number,
    TableNames,
    TrueOnly,
    WholeNumber,
    table_name,
)
from shared.domain.plan import Plan, StagePlan, Template, UnitSpec

MAX_STAGES = 200
MAX_TABLES = 50
MAX_LITERAL_ROWS = 10_000
MAX_TEXT = 100_000
MAX_COLUMNS = 200


class PlanShapeError(ValueError):
    """The document is not a plan; `findings` says where and why (severity always error)."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(f"{finding.pointer}: {finding.detail}" for finding in findings))
        self.findings = findings


def load_plan(document: Any) -> Plan:
    """Return the plan a JSON document describes.

    Raises PlanShapeError with every finding: `invalid`, `unknown_field`, `missing_field` or
    `too_deep`. Meaning (tables, columns, capabilities) is the linter's business.
    """
    findings = value_findings(document)
    if findings:
        raise PlanShapeError(findings)
    try:
        plan: Plan = PlanSchema().load(document)
    except ValidationError as problem:
        raise PlanShapeError(_findings((), problem.messages)) from problem
    return plan


def dump_plan(plan: Plan) -> dict[str, Any]:
    """Return the normal form of the plan document; `load_plan` of it gives the same plan."""
    return {
        "version": plan.version,
        "brief": plan.brief,
        "tables": {name: list(rows) for name, rows in plan.tables.items()},
        "stages": [_dump_stage(stage) for stage in plan.stages],
        "result": {"table": plan.result},
        "then": plan.then,
    }


def plan_hash(document: Any) -> str:
    """Return the SHA-256 of a plan document, 64 hex digits, whatever the order of its fields.

    Two spellings of one plan have one hash only in normal form: hash what `dump_plan` gives.
    """
    return hashlib.sha256(canonical_json(document)).hexdigest()


_MESSAGES: dict[str, Any] = {
    "required": "This field is required.",
    "null": "This field may not be null.",
}
_text = validate.Length(max=MAX_TEXT)
_columns = validate.Length(max=MAX_COLUMNS)


class _Strict(Schema):
    error_messages = {  # noqa: RUF012 - marshmallow's own class attribute
        "unknown": "There is no such field; remove it.",
        "type": "Write a JSON object.",
    }


class UnitSchema(_Strict):
    """Exactly one of `rows`, `group_by`, `table`."""

    rows = WholeNumber(validate=validate.Range(1, 10_000))
    overlap = WholeNumber(validate=validate.Range(0, 1_000))
    group_by = fields.List(fields.String(), validate=validate.Length(1, 20))
    order_by = fields.List(fields.String(), validate=validate.Length(max=20))
    table = TrueOnly()

    @validates_schema
    def _one_kind(self, data: dict[str, Any], **_: Any) -> None:
        if sum(kind in data for kind in ("rows", "group_by", "table")) != 1:
            raise ValidationError("Give exactly one of `rows`, `group_by` and `table`.")
        if "overlap" in data and "rows" not in data:
            raise ValidationError("`overlap` goes with `rows` only.", "overlap")
        if "order_by" in data and "group_by" not in data:
            raise ValidationError("`order_by` goes with `group_by` only.", "order_by")

    @post_load
    def _unit(self, data: dict[str, Any], **_: Any) -> UnitSpec:
        return UnitSpec.from_json(data)


class TemplateSchema(_Strict):
    """`instructions` alike for all units, `input` rendered per unit."""

    instructions = fields.String(load_default="", validate=_text)
    input = fields.String(load_default="", validate=_text)

    @post_load
    def _template(self, data: dict[str, Any], **_: Any) -> Template:
        return Template(data["instructions"], data["input"])


class StageSchema(_Strict):
    """One stage; ranges of its limits are checked by the linter."""

    name = fields.String(required=True, validate=table_name, error_messages=_MESSAGES)
    over = TableNames(required=True, error_messages=_MESSAGES)
    unit = fields.Nested(UnitSchema, required=True, error_messages=_MESSAGES)
    capability = fields.String(
        required=True, validate=validate.Length(1, 100), error_messages=_MESSAGES
    )
    params = JsonObject(load_default=dict)
    template = fields.Nested(TemplateSchema, allow_none=True, load_default=None)
    output = JsonObject(allow_none=True, load_default=None)
    emit = fields.String(
        allow_none=True, load_default=None, validate=validate.OneOf(["one", "many"])
    )
    keep = fields.List(fields.String(), load_default=list, validate=_columns)
    replicas = WholeNumber(load_default=1)
    agree = fields.String(
        allow_none=True, load_default=None, validate=validate.OneOf(["majority", "all", "judge"])
    )
    retries = WholeNumber(allow_none=True, load_default=None)
    timeout_s = Number(allow_none=True, load_default=None)
    max_failed = Number(allow_none=True, load_default=None)

    @post_load
    def _stage(self, data: dict[str, Any], **_: Any) -> StagePlan:
        return StagePlan(**{**data, "keep": tuple(data["keep"])})


class ResultSchema(_Strict):
    """Which table is the answer."""

    table = fields.String(required=True, error_messages=_MESSAGES)


class PlanSchema(_Strict):
    """The whole document."""

    version = WholeNumber(required=True, validate=validate.Equal(1), error_messages=_MESSAGES)
    brief = fields.String(load_default="", validate=_text)
    tables = fields.Dict(
        keys=fields.String(validate=table_name),
        values=fields.List(JsonObject(), validate=validate.Length(max=MAX_LITERAL_ROWS)),
        load_default=dict,
        validate=validate.Length(max=MAX_TABLES),
    )
    stages = fields.List(
        fields.Nested(StageSchema),
        required=True,
        validate=validate.Length(1, MAX_STAGES),
        error_messages=_MESSAGES,
    )
    result = fields.Nested(ResultSchema, required=True, error_messages=_MESSAGES)
    then = fields.String(load_default="finish", validate=validate.OneOf(["finish", "replan"]))

    @post_load
    def _plan(self, data: dict[str, Any], **_: Any) -> Plan:
        return Plan(
            version=data["version"],
            brief=data["brief"],
            tables={name: tuple(rows) for name, rows in data["tables"].items()},
            stages=tuple(data["stages"]),
            result=data["result"]["table"],
            then=data["then"],
        )


def _dump_stage(stage: StagePlan) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": stage.name,
        "over": stage.over[0] if len(stage.over) == 1 else list(stage.over),
        "unit": stage.unit.to_json(),
        "capability": stage.capability,
        "params": stage.params,
        "keep": list(stage.keep),
        "replicas": stage.replicas,
    }
    if stage.template is not None:
        document["template"] = {
            "instructions": stage.template.instructions,
            "input": stage.template.input,
        }
    optional = ("output", "emit", "agree", "retries", "timeout_s", "max_failed")
    given = {name: getattr(stage, name) for name in optional if getattr(stage, name) is not None}
    return document | given


def _findings(path: tuple[str | int, ...], messages: Any) -> list[Finding]:
    if isinstance(messages, dict):
        return [
            finding
            for name, inner in messages.items()
            for finding in _findings(_step(path, name), inner)
        ]
    return [error(_code(text), json_pointer(*path), text) for text in messages]


def _step(path: tuple[str | int, ...], name: str | int) -> tuple[str | int, ...]:
    # marshmallow names the whole object `_schema`, and the sides of a mapping `key` and `value`
    in_mapping = path[:1] == ("tables",) and len(path) == 2 and name in ("key", "value")
    return path if name == "_schema" or in_mapping else (*path, name)


def _code(text: str) -> str:
    if text == _Strict.error_messages["unknown"]:
        return "unknown_field"
    return "missing_field" if text == _MESSAGES["required"] else "invalid"
