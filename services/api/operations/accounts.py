"""Operations on keys, projects, usage and the audit log."""

from services.api.operations.parts import (
    INVALID,
    JSON_BODY,
    KEY,
    NOT_FOUND,
    PAGE,
    READ,
    Operation,
    query,
)
from services.api.schemas import service_answers as answers
from services.api.schemas.service import (
    KeyRequestSchema,
    KeyRotationSchema,
    ProjectEditSchema,
    ProjectRequestSchema,
)
from shared.actions.actor import SYSTEM

_KEYS, _PROJECTS, _TIME = "/v1/api-keys", "/v1/projects", {"type": "string", "format": "date-time"}
_IN_FLIGHT = (409, "The idempotency key is in flight.")
_OTHER = query("project", "Of this project; for keys with the scope `system`.")
_FROM = query("from", "From this time on.", _TIME)
_TO = query("to", "Before this time.", _TIME)
_MORE = (403, "The key lacks the scope, or the other key may more than it.")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create_api_key", "POST", _KEYS, "keys", "Make a key", "admin",
        status=201, answer=answers.NewKeySchema,
        answer_text="Its secret is shown once; `Location` is the key.",
        body={"application/json": {"schema": KeyRequestSchema}},
        problems=(KEY[0], (403, "The key lacks `admin`, or a scope it would grant."), *JSON_BODY,
                  (404, "`project` is none this key may act for."), _IN_FLIGHT, INVALID),
    ),
    Operation(
        "list_api_keys", "GET", _KEYS, "keys", "List keys, newest first", "admin",
        answer=answers.KeySchema, is_list=True, query_parameters=(_OTHER, *PAGE),
        problems=(*KEY, NOT_FOUND, INVALID), detail="Revoked and expired ones too.",
    ),
    Operation(
        "get_api_key", "GET", f"{_KEYS}/{{key_id}}", "keys", "Return one key", "admin",
        answer=answers.KeySchema, problems=READ,
    ),
    Operation(
        "revoke_api_key", "DELETE", f"{_KEYS}/{{key_id}}", "keys", "End a key", "admin",
        status=204, answer_text="It opens nothing any more.",
        problems=(KEY[0], _MORE, NOT_FOUND, INVALID),
    ),
    Operation(
        "rotate_api_key", "POST", f"{_KEYS}/{{key_id}}/rotate", "keys",
        "Give a key another secret", "admin", answer=answers.NewKeySchema,
        answer_text="The new secret is shown once; the former one is good for `overlap_s` more.",
        body={"application/json": {"schema": KeyRotationSchema}}, body_required=False,
        problems=(KEY[0], _MORE, *JSON_BODY, NOT_FOUND,
                  (409, "It is revoked or expired, or the idempotency key is in flight."),
                  INVALID),
    ),
    Operation(
        "create_project", "POST", _PROJECTS, "projects", "Make a project", SYSTEM,
        status=201, answer=answers.ProjectSchema, answer_text="`Location` is the project.",
        body={"application/json": {"schema": ProjectRequestSchema}},
        problems=(*KEY, *JSON_BODY,
                  (409, "`name_taken`, or the idempotency key is in flight."), INVALID),
        detail="It has no key yet: make one with `project` set to its id.",
    ),
    Operation(
        "list_projects", "GET", _PROJECTS, "projects", "List projects, newest first", "admin",
        answer=answers.ProjectSchema, is_list=True, query_parameters=PAGE,
        problems=(*KEY, INVALID), detail="Without the scope `system`: the key's own only.",
    ),
    Operation(
        "get_project", "GET", f"{_PROJECTS}/{{project_id}}", "projects", "Return one project",
        "admin", answer=answers.ProjectSchema, problems=READ,
    ),
    Operation(
        "edit_project", "PATCH", f"{_PROJECTS}/{{project_id}}", "projects",
        "Change weight, tools, budgets, quotas", "admin", answer=answers.ProjectSchema,
        body={"application/json": {"schema": ProjectEditSchema}},
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "`name_taken`."), INVALID),
        detail="Needs the scope `system` too: 403 for an admin of the project itself.",
    ),
    Operation(
        "get_usage", "GET", "/v1/usage", "usage", "Return what was used, in groups", "jobs:read",
        answer=answers.UsageGroupSchema, is_list=True,
        query_parameters=(
            query("group_by", "project, key, model, capability, day or label.KEY.",
                  {"type": "string", "default": "day"}),
            query("from", "From the hour of this time on.", _TIME),
            query("to", "Up to the end of the hour before this time.", _TIME),
            _OTHER, *PAGE,
        ),
        problems=(*KEY, NOT_FOUND, INVALID),
        detail="Of the key's project; with the scope `system` of all. Planning is the capability "
        "`planning`. Kept when jobs are deleted, without their labels.",
    ),
    Operation(
        "list_audit_log", "GET", "/v1/audit-log", "usage", "List who did what, newest first",
        "admin", answer=answers.AuditEntrySchema, is_list=True,
        query_parameters=(
            query("object", "Only what was done to the object of this id."),
            query("actor", "Only what this actor did: `key:key_...`, `system`, ..."),
            query("action", "Only this action, as `job.create`."),
            _FROM, _TO, _OTHER, *PAGE,
        ),
        problems=(*KEY, NOT_FOUND, INVALID),
    ),
)  # fmt: skip
