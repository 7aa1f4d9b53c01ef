"""Operations on webhooks out: receivers, the log, the secrets."""

from services.api.operations.parts import (
    INVALID,
    JSON_BODY,
    KEY,
    NO_FIELDS,
    NOT_FOUND,
    PAGE,
    READ,
    Operation,
    choice,
    query,
)
from services.api.schemas import webhook_answers as answers
from services.api.schemas.webhooks import (
    EndpointChangesSchema,
    EndpointRequestSchema,
    RedeliverySchema,
    RotationSchema,
)
from shared.database.delivery_log import STATUSES

_SCOPE, _TAG = "hooks:admin", "webhooks"
_PATH = "/v1/webhook-endpoints"
_NOT_ALLOWED = (422, "A field is not valid, or `address_not_allowed`: webhooks may not go there.")
_NO_KEYS = (503, "`secrets_not_configured`: set APWA_SECRET_KEYS.")
_DISABLED = (409, "The endpoint is disabled, or the idempotency key is in flight.")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create_webhook_endpoint", "POST", _PATH, _TAG, "Add a receiver of webhooks", _SCOPE,
        status=201, answer=answers.NewEndpointSchema,
        answer_text="Its secret is shown; `Location` is the endpoint.",
        body={"application/json": {"schema": EndpointRequestSchema}},
        problems=(*KEY, *JSON_BODY, (409, "The idempotency key is in flight."), _NOT_ALLOWED,
                  _NO_KEYS),
        detail="Webhooks are signed as Standard Webhooks says. An answer that is replayed for its "
        "`Idempotency-Key` has no secret: read it at `/secret`.",
    ),
    Operation(
        "list_webhook_endpoints", "GET", _PATH, _TAG, "List receivers, newest first", _SCOPE,
        answer=answers.EndpointSchema, is_list=True, query_parameters=PAGE,
        problems=(*KEY, INVALID), detail="Without those that single jobs brought.",
    ),
    Operation(
        "get_webhook_endpoint", "GET", f"{_PATH}/{{endpoint_id}}", _TAG, "Return one receiver",
        _SCOPE, answer=answers.EndpointSchema, problems=READ,
    ),
    Operation(
        "edit_webhook_endpoint", "PATCH", f"{_PATH}/{{endpoint_id}}", _TAG,
        "Change, enable or disable a receiver", _SCOPE, answer=answers.EndpointSchema,
        body={"application/json": {"schema": EndpointChangesSchema}},
        problems=(*KEY, *JSON_BODY, NOT_FOUND, _NOT_ALLOWED),
    ),
    Operation(
        "delete_webhook_endpoint", "DELETE", f"{_PATH}/{{endpoint_id}}", _TAG,
        "Remove a receiver", _SCOPE, status=204, answer_text="What waits for it is cancelled.",
        problems=(*KEY, NOT_FOUND, INVALID),
    ),
    Operation(
        "get_webhook_endpoint_secret", "GET", f"{_PATH}/{{endpoint_id}}/secret", _TAG,
        "Return a receiver's secret", _SCOPE, answer=answers.SecretSchema,
        problems=(*READ, (409, "The endpoint is a job's own."), _NO_KEYS),
    ),
    Operation(
        "rotate_webhook_endpoint_secret", "POST", f"{_PATH}/{{endpoint_id}}/rotate-secret", _TAG,
        "Make a new secret", _SCOPE, answer=answers.SecretSchema,
        body={"application/json": {"schema": RotationSchema}}, body_required=False,
        problems=(*KEY, *JSON_BODY, NOT_FOUND,
                  (409, "The endpoint is a job's own, or the idempotency key is in flight."),
                  INVALID, _NO_KEYS),
    ),
    Operation(
        "test_webhook_endpoint", "POST", f"{_PATH}/{{endpoint_id}}/test", _TAG, "Send a ping",
        _SCOPE, status=202, answer=answers.DeliverySchema, body=NO_FIELDS, body_required=False,
        answer_text="Due now; `Location` is the delivery.",
        problems=(*KEY, *JSON_BODY, NOT_FOUND, _DISABLED, INVALID),
    ),
    Operation(
        "redeliver_range", "POST", f"{_PATH}/{{endpoint_id}}/redeliver", _TAG,
        "Send the deliveries of a span of time again", _SCOPE, status=202,
        answer=answers.RedeliveredSchema, answer_text="They are due now.",
        body={"application/json": {"schema": RedeliverySchema}},
        problems=(*KEY, *JSON_BODY, NOT_FOUND, _DISABLED,
                  (422, "Not valid, or `too_many` deliveries in the span.")),
        detail="Each under the `webhook-id` it had.",
    ),
    Operation(
        "list_deliveries", "GET", "/v1/deliveries", _TAG, "List deliveries, newest first", _SCOPE,
        answer=answers.DeliverySchema, is_list=True,
        query_parameters=(
            query("endpoint", "Only those of this endpoint."),
            query("status", "Only those in this state.", choice(*STATUSES)),
            query("job", "Only those of this job."),
            *PAGE,
        ),
        problems=(*KEY, INVALID),
    ),
    Operation(
        "get_delivery", "GET", "/v1/deliveries/{delivery_id}", _TAG,
        "Return one delivery with what was sent and answered", _SCOPE,
        answer=answers.DeliveryDetailSchema, problems=READ,
    ),
    Operation(
        "redeliver", "POST", "/v1/deliveries/{delivery_id}/redeliver", _TAG,
        "Send a delivery again", _SCOPE, status=202, answer=answers.DeliverySchema,
        body=NO_FIELDS, body_required=False, answer_text="Due now, under the same `webhook-id`.",
        problems=(*KEY, *JSON_BODY, NOT_FOUND,
                  (409, "It is pending, or its endpoint is disabled or deleted."),
                  (410, "Its job was deleted."), INVALID),
    ),
    Operation(
        "get_webhook_secret", "GET", "/v1/webhook-secret", _TAG,
        "Return what signs the webhooks of jobs", _SCOPE, answer=answers.SecretSchema,
        problems=(*KEY, INVALID, _NO_KEYS), detail="Made at first use.",
    ),
    Operation(
        "rotate_webhook_secret", "POST", "/v1/webhook-secret/rotate", _TAG,
        "Make a new secret for the webhooks of jobs", _SCOPE, answer=answers.SecretSchema,
        body={"application/json": {"schema": RotationSchema}}, body_required=False,
        problems=(*KEY, *JSON_BODY, (409, "The idempotency key is in flight."), INVALID, _NO_KEYS),
    ),
)  # fmt: skip
