"""The bodies of what is done with a job that exists."""

from typing import Any

from marshmallow import fields, validate

from services.api.schemas.job_request import MAX_LABELS, label_name
from services.api.schemas.strict import Fraction, Named, NotYet, StrictSchema, Text
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
    deadline_s = NotYet()


class PlanEditSchema(StrictSchema):
    """Another plan for a job that waits for approval."""

    plan: fields.Field[Any] = fields.Raw(
        required=True, metadata={"description": "A plan document; it is checked by the linter."}
    )


class RejectionSchema(StrictSchema):
    """Why a plan is rejected; it becomes the detail of the job's error."""

    reason = Text(2_000, allow_none=True, load_default=None)
