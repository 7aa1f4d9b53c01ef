"""The shapes of what those who watch a job are answered."""

from typing import Any

from marshmallow import Schema, fields

from services.api.schemas.answers import EventSchema, UsageSchema

__all__ = ["EventSchema", "SubtaskDetailSchema", "ViewTokenSchema"]

_SHOWN = {"enum": ["shown", "none", "erased", "too_large"]}


def _text(**rest: object) -> fields.String:
    return fields.String(required=True, allow_none=True, **rest)  # type: ignore[arg-type]


def _rows() -> fields.Field[Any]:
    return fields.List(fields.Dict(), required=True)


class ViewTokenSchema(Schema):
    """A token that shows one job. It cannot be read again."""

    id = fields.String(required=True)
    job = fields.String(required=True)
    token = _text(metadata={"description": "null in a repeated answer where none could be kept"})
    expires_at = fields.String(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class UnitInputSchema(Schema):
    """The rows a unit saw, up to 100; `before` and `after` are context."""

    status = fields.String(required=True, metadata=_SHOWN)
    rows = _rows()
    row_count = fields.Integer(required=True)
    before = _rows()
    after = _rows()
    key = fields.Dict(required=True)


class UnitPromptSchema(Schema):
    """What the model is shown when the unit is asked alone."""

    status = fields.String(required=True, metadata=_SHOWN)
    system = _text()
    user = _text()


class TriedSchema(Schema):
    """One try, and what the model said in it."""

    replica = fields.Integer(required=True)
    number = fields.Integer(required=True)
    outcome = fields.String(required=True)
    code = _text()
    detail = _text()
    raw = _text()
    raw_status = fields.String(required=True, metadata={"enum": ["kept", "none", "erased"]})
    usage = fields.Raw(required=True, allow_none=True)
    worker_id = _text()
    duration_ms = fields.Integer(required=True)
    ended_at = fields.String(required=True)


class ReplicaSchema(Schema):
    """One of several runs of a unit; the outcome combines them."""

    replica = fields.Integer(required=True)
    outcome = fields.String(required=True)
    code = _text()
    detail = _text()
    output = fields.Raw(required=True, allow_none=True)
    unit_hash = _text()
    duration_ms = fields.Integer(required=True)


class SourceRowsSchema(Schema):
    """Rows of one table, as runs of [first row, count]."""

    table = fields.String(required=True)
    name = fields.String(required=True)
    rows = fields.List(fields.List(fields.Integer()), required=True)


class LineageSchema(Schema):
    """Which rows a unit was made of, and how many that should be among them are not."""

    sources = fields.List(fields.Nested(SourceRowsSchema), required=True)
    missing = fields.Integer(required=True)


class HolderSchema(Schema):
    """A shard the unit was in, and how often it lost its worker."""

    id = fields.Integer(required=True)
    status = fields.String(required=True)
    worker = _text()
    lost = fields.Integer(required=True)


class ProvenanceSchema(Schema):
    """What made the output: plan, capability, hash of the work, shards."""

    plan_version = fields.Integer(required=True)
    plan_hash = _text()
    capability = fields.String(required=True)
    capability_version = fields.String(required=True)
    model = _text(metadata={"description": "The endpoint the stage names, if it names one."})
    unit_hash = _text()
    reused = fields.Boolean(required=True)
    shards = fields.List(fields.Nested(HolderSchema), required=True)


class SubtaskDetailSchema(Schema):
    """One subtask; `outcome` is null while it has none."""

    stage = fields.String(required=True)
    unit = fields.Integer(required=True)
    state = fields.String(required=True, metadata={"enum": ["waiting", "running", "settled"]})
    outcome = _text()
    error = fields.Raw(required=True, allow_none=True)
    input = fields.Nested(UnitInputSchema, required=True)
    prompt = fields.Nested(UnitPromptSchema, required=True)
    attempts = fields.List(fields.Nested(TriedSchema), required=True)
    output = fields.Raw(required=True, allow_none=True)
    replicas = fields.List(fields.Nested(ReplicaSchema), required=True)
    lineage = fields.Nested(LineageSchema, required=True, allow_none=True)
    provenance = fields.Nested(ProvenanceSchema, required=True)
    usage = fields.Nested(UsageSchema, required=True)
    attempt = fields.Integer(required=True, allow_none=True)
    worker = _text()
    duration_ms = fields.Integer(required=True, allow_none=True)
    settled_at = _text()
