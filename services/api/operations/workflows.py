"""Operations on workflows."""

from services.api.operations.parts import (
    INVALID,
    JSON_BODY,
    KEY,
    NOT_FOUND,
    PAGE,
    READ,
    Operation,
    json_or_files,
    query,
)
from services.api.schemas import workflow_answers as answers
from services.api.schemas.answers import JobSchema
from services.api.schemas.workflow import WorkflowCreateSchema, WorkflowRunSchema

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create_workflow", "POST", "/v1/workflows", "workflows", "Define a workflow",
        "jobs:write", status=201, answer=answers.WorkflowSchema,
        answer_text="Version 1, or the next one of a name that was there; `Location` is it.",
        body={"application/json": {"schema": WorkflowCreateSchema}},
        problems=(*KEY, *JSON_BODY, (409, "The idempotency key is in flight."), INVALID),
        detail="A version never changes. Its plan is checked as far as it can be without inputs: "
        "shape, capabilities, parameters, tools; the rest at each run.",
    ),
    Operation(
        "list_workflows", "GET", "/v1/workflows", "workflows", "List workflows, by name",
        "jobs:read", answer=answers.WorkflowBriefSchema, is_list=True, query_parameters=PAGE,
        problems=(*KEY, INVALID),
    ),
    Operation(
        "get_workflow", "GET", "/v1/workflows/{name}", "workflows", "Return one workflow",
        "jobs:read", answer=answers.WorkflowSchema, has_etag=True, problems=READ,
        query_parameters=(
            query("version", "The newest when left out.", {"type": "integer", "minimum": 1}),
        ),
    ),
    Operation(
        "list_workflow_versions", "GET", "/v1/workflows/{name}/versions", "workflows",
        "List versions, newest first", "jobs:read", answer=answers.WorkflowBriefSchema,
        is_list=True, query_parameters=PAGE, problems=READ,
    ),
    Operation(
        "delete_workflow", "DELETE", "/v1/workflows/{name}", "workflows", "Delete a workflow",
        "jobs:write", status=204, answer_text="All its versions are gone; jobs keep what they ran.",
        problems=(*KEY, NOT_FOUND, INVALID),
    ),
    Operation(
        "run_workflow", "POST", "/v1/workflows/{name}/runs", "workflows", "Run a workflow",
        "jobs:write", status=202, answer=JobSchema,
        answer_text="Stored; `Location` is the job.", body=json_or_files(WorkflowRunSchema),
        problems=(*KEY, *JSON_BODY,
                  (404, "No such workflow or version, or an input names an unknown table."),
                  (409, "A table still loads, or the idempotency key is in flight."), INVALID),
        detail="As POST /v1/jobs with `workflow`: policy, models and labels come on top of the "
        "workflow's, member by member.",
    ),
)  # fmt: skip
