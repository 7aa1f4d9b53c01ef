"""The shapes of answers about webhooks."""

from marshmallow import Schema, fields

from shared.database.delivery_log import STATUSES
from shared.domain.webhook import EVENTS


def _text(**rest: object) -> fields.String:
    return fields.String(allow_none=True, required=True, **rest)  # type: ignore[arg-type]


class EndpointSchema(Schema):
    """A receiver of webhooks."""

    id = fields.String(required=True)
    url = fields.String(required=True)
    events = fields.List(fields.String(metadata={"enum": list(EVENTS)}), required=True)
    description = fields.String(required=True)
    job = _text(metadata={"description": "The job that brought it; its secret is the project's."})
    status = fields.String(required=True, metadata={"enum": ["enabled", "disabled"]})
    status_reason = fields.Raw(
        required=True,
        allow_none=True,
        metadata={"description": "`kind`: asked, gone (it answered 410) or failing; `detail`."},
    )
    disabled_at = _text()
    failing_since = _text(metadata={"description": "The first failed try since the last good one."})
    former_secret_until = _text()
    created_at = fields.String(required=True)


class NewEndpointSchema(EndpointSchema):
    """A new receiver, with the secret its webhooks are signed with."""

    secret = _text(metadata={"description": "`whsec_...`; null in an answer that is replayed."})


class SecretSchema(Schema):
    """What webhooks are signed with."""

    secret = _text(metadata={"description": "`whsec_...`; null in an answer that is replayed."})
    former_secret_until = _text(metadata={"description": "Until then the former one signs too."})
    rotated_at = _text()


class DeliverySchema(Schema):
    """One event for one endpoint."""

    id = fields.String(required=True)
    endpoint = fields.String(required=True)
    job = _text()
    webhook_id = fields.String(
        required=True, metadata={"description": "The header `webhook-id`; the same in every try."}
    )
    type = fields.String(required=True)
    status = fields.String(required=True, metadata={"enum": list(STATUSES)})
    attempts = fields.Integer(required=True)
    response_status = fields.Integer(required=True, allow_none=True)
    error = fields.Raw(required=True, allow_none=True)
    next_attempt_at = _text()
    created_at = fields.String(required=True)
    finished_at = _text()


class SentSchema(Schema):
    """What was sent; the body is the delivery's."""

    url = fields.String(required=True)
    headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class ReceivedSchema(Schema):
    """What the receiver answered; of its body the first 4 kB."""

    status = fields.Integer(required=True)
    headers = fields.Raw(required=True, allow_none=True)
    body = _text()
    truncated = fields.Boolean(required=True)


class TrySchema(Schema):
    """One request of a delivery."""

    number = fields.Integer(required=True)
    started_at = fields.String(required=True)
    duration_ms = fields.Integer(required=True)
    request = fields.Nested(SentSchema, required=True, allow_none=True)
    response = fields.Nested(ReceivedSchema, required=True, allow_none=True)
    error = fields.Raw(required=True, allow_none=True)


class DeliveryDetailSchema(DeliverySchema):
    """A delivery with what was sent and answered; null once its job was deleted."""

    body = _text()
    tries = fields.List(fields.Nested(TrySchema), required=True)


class RedeliveredSchema(Schema):
    """How many deliveries are due again."""

    redelivered = fields.Integer(required=True)
