"""The bodies of what is done with a job that exists."""

from typing import Any

from marshmallow import ValidationError, fields, validate

from services.api.schemas.job_request import (
    MAX_INPUTS,
    Deadline,
    InputSchema,
    PolicySchema,
    input_name,
    label_name,
)
from services.api.schemas.strict import AnyObject, Fraction, Named, StrictSchema, Text
from shared.actions.edit_job import MAX_LABELS
from shared.contracts.plan_fields import WholeNumber


class BudgetEditSchema(StrictSchema):
    """Limits to change; null takes one away, what is not named stays."""

    usd = Fraction(0, 1_000_000, allow_none=True)
    tokens = WholeNumber(allow_none=True, validate=validate.Range(0, 10**15))
    seconds = Fraction(0, 10**9, allow_none=True)


class JobEditSchema(StrictSchema):
    """What may change of a job that is not final; what is not named stays."""

    budget = fields.Nested(BudgetEditSchema, load_default=dict)
    priority = WholeNumber(load_default=None, validate=validate.Range(1, 10))
    labels = Named(
        label_name,
        Text(1_000, blank=True, allow_none=True),
        MAX_LABELS,
        load_default=dict,
        metadata={"description": "Labels to set; null removes one."},
    )
    deadline_s = Deadline(allow_none=True)


class NewViewTokenSchema(StrictSchema):
    """How long a view token holds."""

    ttl_s = WholeNumber(load_default=3_600, validate=validate.Range(1, 604_800))


class PlanEditSchema(StrictSchema):
    """Another plan for a job that waits for approval."""

    plan: fields.Field[Any] = fields.Raw(
        required=True, metadata={"description": "A plan document; it is checked by the linter."}
    )


class RejectionSchema(StrictSchema):
    """Why a plan is rejected; it becomes the detail of the job's error."""

    reason = Text(2_000, allow_none=True, load_default=None)


class SelectedSchema(StrictSchema):
    """Failed units by their code."""

    error_code = Text(100, required=True)


class Select(fields.Field[Any]):
    """What a retry runs again: the word ``failed``, or an object with an error code."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if value == "failed":
            return value
        if isinstance(value, dict):
            return dict(SelectedSchema().load(value))
        raise ValidationError('Write "failed" or {"error_code": "..."}.')


class OverridesSchema(StrictSchema):
    """Parameters for the units that run again; what was good stays as it is."""

    model = Text(200)
    max_output_tokens = WholeNumber(validate=validate.Range(1, 10**7))


class RetrySchema(StrictSchema):
    """What of a final job runs again, and how."""

    select = Select(
        load_default="failed",
        metadata={
            "anyOf": [
                {"const": "failed"},
                {
                    "type": "object",
                    "properties": {"error_code": {"type": "string"}},
                    "required": ["error_code"],
                    "additionalProperties": False,
                },
            ],
            "description": "Units that were never run are run in any case.",
        },
    )
    overrides = fields.Nested(OverridesSchema, load_default=dict)


class PolicyChangesSchema(PolicySchema):
    """Fields of a policy that change; what is silent stays."""


class ForkSchema(StrictSchema):
    """What differs from the job that is forked; what is silent stays."""

    inputs = Named(
        input_name,
        fields.Nested(InputSchema),
        MAX_INPUTS,
        load_default=dict,
        metadata={"description": "In place of those of their names, or beside them."},
    )
    plan = AnyObject(
        allow_none=True,
        load_default=None,
        metadata={"description": "A plan document; it is checked by the linter."},
    )
    policy = fields.Nested(
        PolicyChangesSchema(partial=True),
        load_default=dict,
        metadata={"description": "Only the fields that change."},
    )
