"""Operations on triggers, on what was posted to them, and the door senders post to."""

from services.api.operations.parts import (
    DELETED,
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
from services.api.schemas import trigger_answers as answers
from services.api.schemas.triggers import (
    SimulationSchema,
    TriggerChangesSchema,
    TriggerRequestSchema,
)
from shared.database.trigger_deliveries import STATUSES

_SCOPE, _TAG = "hooks:admin", "triggers"
_NO_SECRETS = (503, "`secrets_not_configured`: the operator has to set APWA_SECRET_KEYS.")
_ONE = "/v1/triggers/{trigger_id}"
_DELIVERY = "/v1/triggers/{trigger_id}/deliveries/{delivery_id}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create_trigger", "POST", "/v1/triggers", _TAG, "Make a trigger", _SCOPE, status=201,
        answer=answers.TriggerSchema, answer_text="`links.hook` is where the sender posts.",
        body={"application/json": {"schema": TriggerRequestSchema}},
        problems=(*KEY, *JSON_BODY,
                  (404, "It names an unknown workflow, or records for an unknown job."),
                  (409, "The idempotency key is in flight."), INVALID, _NO_SECRETS),
        detail="`job` is a body of POST /v1/jobs and checked like one; `mapping` adds goal, inputs "
        "and labels from what is posted. Or `records` feed the stream of a job. The secret is "
        "never shown.",
    ),
    Operation(
        "list_triggers", "GET", "/v1/triggers", _TAG, "List triggers, newest first", _SCOPE,
        answer=answers.TriggerSchema, is_list=True, query_parameters=PAGE,
        problems=(*KEY, INVALID),
    ),
    Operation(
        "get_trigger", "GET", _ONE, _TAG, "Return one trigger", _SCOPE,
        answer=answers.TriggerSchema, has_etag=True, problems=READ,
    ),
    Operation(
        "edit_trigger", "PATCH", _ONE, _TAG, "Change a trigger", _SCOPE,
        answer=answers.TriggerSchema, answer_text="The trigger as it is now.",
        body={"application/json": {"schema": TriggerChangesSchema}},
        problems=(*KEY, *JSON_BODY, NOT_FOUND, INVALID, _NO_SECRETS),
        detail="Members that are not named stay. With a new `secret` the one before holds for "
        "`overlap_s` seconds more.",
    ),
    Operation(
        "delete_trigger", "DELETE", _ONE, _TAG, "Delete a trigger", _SCOPE, status=204,
        answer_text="It is gone, with all that was posted to it; its jobs stay.",
        problems=(*KEY, NOT_FOUND, INVALID),
    ),
    Operation(
        "simulate_trigger", "POST", f"{_ONE}/simulate", _TAG, "Say what a delivery would do",
        _SCOPE, answer=answers.SimulatedSchema, answer_text="Nothing was stored.", stores=False,
        body={"application/json": {"schema": SimulationSchema}},
        problems=(*KEY, *JSON_BODY, NOT_FOUND, INVALID, _NO_SECRETS),
        detail="Whether it is verified and matches, the job it would make, and what the linter "
        "says of that. It goes on where it is not verified: a recorded delivery is stale.",
    ),
    Operation(
        "list_trigger_deliveries", "GET", f"{_ONE}/deliveries", _TAG,
        "List what was posted, newest first", _SCOPE, answer=answers.TriggerDeliverySchema,
        is_list=True, problems=READ,
        query_parameters=(query("status", "Only these.", choice(*STATUSES)), *PAGE),
    ),
    Operation(
        "get_trigger_delivery", "GET", _DELIVERY, _TAG, "Return one delivery", _SCOPE,
        answer=answers.PostedSchema, problems=READ,
        detail="With headers and body as they were posted, without secrets, until they are erased.",
    ),
    Operation(
        "replay_trigger_delivery", "POST", f"{_DELIVERY}/replay", _TAG, "Work a delivery again",
        _SCOPE, status=202, answer=answers.TriggerDeliverySchema,
        answer_text="The delivery that will be worked.", body=NO_FIELDS, body_required=False,
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "It is pending."), DELETED, INVALID),
        detail="Limits do not hold it. Where its job was made already, a new delivery "
        "(`replay_of`) makes another one.",
    ),
    Operation(
        "receive_hook", "POST", "/hooks/{trigger_id}", _TAG, "Take a delivery in", public=True,
        status=202, answer=answers.ReceiptSchema,
        answer_text="Stored and verified; a job comes of it within a moment.",
        body={"*/*": {"schema": {"description": "JSON, as the sender signs it."}}},
        also=((200, "Ignored, or known already: `id` is the first delivery's."),),
        problems=((400, "Not JSON."), (401, "Not signed with the trigger's secret, or stale."),
                  (404, "No such trigger, or a disabled one."),
                  (413, "Larger than APWA_HOOK_MAX_BYTES."), (415, "A coding is not taken."),
                  _NO_SECRETS),
        detail="No key: the sender signs, by the scheme of the trigger. Posted again under the "
        "same id it makes no second job.",
    ),
)  # fmt: skip
