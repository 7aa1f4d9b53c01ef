"""The shapes of answers about triggers and what was posted to them."""

from marshmallow import Schema, fields

from services.api.schemas.answers import ProblemFieldSchema
from shared.database.trigger_deliveries import STATUSES
from shared.domain.hook_scheme import SCHEMES


def _text(**rest: object) -> fields.String:
    return fields.String(required=True, allow_none=True, **rest)  # type: ignore[arg-type]


class TriggerLimitsSchema(Schema):
    """Above them deliveries are held."""

    jobs_per_hour = fields.Integer(required=True, allow_none=True)
    usd_per_day = fields.Float(required=True, allow_none=True)


class TriggerSecretSchema(Schema):
    """When the secret was changed, and until when the one before holds; never the secret."""

    rotated_at = _text()
    former_valid_until = _text()


class TriggerSchema(Schema):
    """A trigger."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    scheme = fields.String(required=True, metadata={"enum": list(SCHEMES)})
    options = fields.Dict(required=True)
    secret = fields.Nested(TriggerSecretSchema, required=True)
    when = fields.List(fields.Dict(), required=True)
    job = fields.Dict(required=True, allow_none=True)
    mapping = fields.Dict(required=True, allow_none=True)
    records = fields.Dict(required=True, allow_none=True)
    limits = fields.Nested(TriggerLimitsSchema, required=True)
    created_at = fields.String(required=True)
    updated_at = fields.String(required=True)
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "`hook` is where the sender posts."},
    )


class ReasonSchema(Schema):
    """Why a delivery is held, failed, ignored or tried again."""

    code = fields.String(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemFieldSchema))


class RecordCountsSchema(Schema):
    """What became of the records of a delivery that fed a stream."""

    accepted = fields.Integer(required=True)
    duplicates = fields.Integer(required=True)
    rejected = fields.Integer(required=True)


class TriggerDeliverySchema(Schema):
    """What a sender posted and what came of it."""

    id = fields.String(required=True)
    trigger = fields.String(required=True)
    sender_id = _text(metadata={"description": "What the sender calls it."})
    status = fields.String(required=True, metadata={"enum": list(STATUSES)})
    reason = fields.Nested(ReasonSchema, required=True, allow_none=True)
    job = _text(metadata={"description": "The job that was made, or fed."})
    records = fields.Nested(RecordCountsSchema, required=True, allow_none=True)
    replay_of = _text()
    tries = fields.Integer(required=True)
    size_bytes = fields.Integer(required=True)
    received_at = fields.String(required=True)
    settled_at = _text()
    erased_at = _text()


class PostedSchema(TriggerDeliverySchema):
    """A delivery with what was posted; null once it is erased."""

    headers = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True, allow_none=True
    )
    body = _text(metadata={"description": "The exact text."})


class ReceiptSchema(Schema):
    """What a sender is told."""

    id = fields.String(required=True, metadata={"description": "Of the delivery; of the first."})
    status = fields.String(required=True, metadata={"enum": list(STATUSES)})
    duplicate = fields.Boolean(required=True)


class SimulationProblemSchema(Schema):
    """Why no job would come of it."""

    code = fields.String(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemFieldSchema), required=True)


class SimulatedSchema(Schema):
    """What would happen to a delivery; nothing of it is stored."""

    verified = fields.Boolean(required=True)
    reason = _text(metadata={"description": "Why it is not verified."})
    matched = fields.Boolean(required=True)
    ping = fields.Boolean(required=True)
    unmet = fields.List(
        fields.String(), required=True, metadata={"description": "Conditions that do not hold."}
    )
    job = fields.Dict(
        required=True, allow_none=True, metadata={"description": "As POST /v1/jobs takes it."}
    )
    records = fields.List(fields.Raw(), required=True, allow_none=True)
    findings = fields.List(
        fields.Dict(),
        required=True,
        allow_none=True,
        metadata={"description": "Of the linter; null where only a model can plan the goal."},
    )
    price = fields.Dict(required=True, allow_none=True)
    problem = fields.Nested(SimulationProblemSchema, required=True, allow_none=True)
