"""The shapes of answers about keys, projects, usage, models and the audit log."""

from marshmallow import Schema, fields

from shared.domain.quota import NAMES


def _text(**rest: object) -> fields.String:
    return fields.String(allow_none=True, required=True, **rest)  # type: ignore[arg-type]


def _number(**rest: object) -> fields.Integer:
    return fields.Integer(allow_none=True, required=True, **rest)  # type: ignore[arg-type]


class KeySchema(Schema):
    """A key, without its secret."""

    id = fields.String(required=True)
    project = fields.String(required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    role = _text(metadata={"description": "The role with just these scopes, if there is one."})
    status = fields.String(required=True, metadata={"enum": ["live", "expired", "revoked"]})
    requests_per_minute = _number()
    created_at = fields.String(required=True)
    expires_at = _text()
    last_used_at = _text(metadata={"description": "True to the minute."})
    rotated_at = _text()
    former_secret_until = _text(metadata={"description": "Until then the former one opens too."})
    revoked_at = _text()
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class NewKeySchema(KeySchema):
    """A key with its secret, which is shown once."""

    secret = _text(
        metadata={"description": "`apwa_...`; null in a repeated answer where nothing is sealed."}
    )


class ProjectBudgetSchema(Schema):
    """A budget; null is no limit."""

    usd = fields.Float(required=True, allow_none=True)
    tokens = _number()
    seconds = fields.Float(required=True, allow_none=True)


QuotasAnswerSchema = Schema.from_dict(
    {name: fields.Integer(required=True) for name in NAMES}, name="QuotasAnswerSchema"
)


class ProjectSchema(Schema):
    """A project; `quotas` are those in force, 0 for no limit."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    weight = fields.Integer(required=True)
    allow_external = fields.Boolean(required=True)
    tools = fields.List(fields.String(), required=True, allow_none=True)
    quotas = fields.Nested(QuotasAnswerSchema, required=True)
    own_quotas = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Which of them are its own, not the deployment's."},
    )
    default_budget = fields.Nested(ProjectBudgetSchema, required=True)
    budget = fields.Nested(ProjectBudgetSchema, required=True)
    created_at = fields.String(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class UsageGroupSchema(Schema):
    """What one group used; money in millionths of a US dollar."""

    group = _text(metadata={"description": "Null: jobs without this label, calls of no model."})
    jobs = fields.Integer(required=True)
    calls = fields.Integer(required=True)
    input_tokens = fields.Integer(required=True)
    output_tokens = fields.Integer(required=True)
    cost_microusd = fields.Integer(required=True)
    cost_unknown_microusd = fields.Integer(
        required=True, metadata={"description": "May have been paid beyond that for no answer."}
    )
    cache_hits = fields.Integer(required=True)


class ModelLimitsSchema(Schema):
    """Limits that are set; null: only what the provider's headers tell."""

    requests_per_minute = _number()
    input_tokens_per_minute = _number()
    output_tokens_per_minute = _number()
    max_in_flight = fields.Integer(required=True)


class ModelPricesSchema(Schema):
    """Micro-dollars for a million tokens."""

    input_microusd = fields.Integer(required=True)
    output_microusd = fields.Integer(required=True)
    cached_microusd = _number()


class ModelStateSchema(Schema):
    """How an endpoint is right now, as far as Redis can tell."""

    status = fields.String(
        required=True, metadata={"enum": ["available", "held", "resting", "unknown"]}
    )
    held_ms = _number(metadata={"description": "The provider wants no call for so long."})
    resting_ms = _number(
        metadata={"description": "A breaker leaves it alone for so long, in some process."}
    )


class ModelEndpointSchema(Schema):
    """A configured endpoint; its key is never told."""

    name = fields.String(required=True)
    model = fields.String(required=True)
    base_url = _text(metadata={"description": "For keys with the scope `admin`; null for others."})
    own = fields.Boolean(required=True)
    serves = fields.List(
        fields.String(), required=True, metadata={"description": "Names a plan may write."}
    )
    fallback = _text()
    context_tokens = fields.Integer(required=True)
    limits = fields.Nested(ModelLimitsSchema, required=True)
    prices = fields.Nested(ModelPricesSchema, required=True, allow_none=True)
    abilities = fields.Raw(
        required=True, allow_none=True, metadata={"description": "As `apwa models probe` found."}
    )
    state = fields.Nested(ModelStateSchema, required=True)


class AuditEntrySchema(Schema):
    """Who did what to which object."""

    id = fields.String(required=True)
    at = fields.String(required=True)
    project = fields.String(required=True)
    actor = fields.String(required=True)
    action = fields.String(required=True)
    object = fields.String(required=True)
    detail = fields.Dict(required=True)
