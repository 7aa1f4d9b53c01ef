"""The shapes of answers about workflows."""

from marshmallow import Schema, fields


class WorkflowBriefSchema(Schema):
    """One version of a workflow as lists show it."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    version = fields.Integer(required=True)
    latest_version = fields.Integer(required=True)
    description = fields.String(required=True, allow_none=True)
    goal = fields.String(required=True, allow_none=True)
    plan_hash = fields.String(required=True, allow_none=True)
    inputs = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "What its plan reads; null for a goal, which takes any."},
    )
    created_by = fields.String(required=True)
    created_at = fields.String(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class WorkflowSchema(WorkflowBriefSchema):
    """One version of a workflow; it never changes."""

    plan = fields.Dict(required=True, allow_none=True)
    defaults = fields.Dict(required=True)
