"""Operations on jobs and their plans."""

from typing import get_args

from services.api.operations.parts import (
    DELETED,
    INVALID,
    JSON_BODY,
    KEY,
    MATCH,
    NO_FIELDS,
    NOT_FOUND,
    PAGE,
    READ,
    STALE,
    Operation,
    choice,
    json_or_files,
    query,
)
from services.api.schemas import answers
from services.api.schemas.control import (
    ForkSchema,
    JobEditSchema,
    PlanEditSchema,
    RejectionSchema,
    RetrySchema,
)
from services.api.schemas.job_request import JobRequestSchema
from shared.domain.job import JobStatus

JOB_BODY = json_or_files(JobRequestSchema)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create_job", "POST", "/v1/jobs", "jobs", "Take a job in", "jobs:write",
        status=202, answer=answers.JobSchema, answer_text="Stored; `Location` is the job.",
        body=JOB_BODY,
        problems=(*KEY, *JSON_BODY, (404, "An input names an unknown table."),
                  (409, "A table still loads, or the idempotency key is in flight."), INVALID),
        detail="Multipart: a part `job` with the JSON and one file per input, named after it.",
    ),
    Operation(
        "list_jobs", "GET", "/v1/jobs", "jobs", "List jobs, newest first", "jobs:read",
        answer=answers.JobSchema, is_list=True, problems=(*KEY, INVALID),
        query_parameters=(
            query("status", "Only jobs in this state.", choice(*get_args(JobStatus))),
            query("label.KEY", "Only jobs whose label KEY has this value; repeatable by key."),
            query("created_after", "RFC 3339 time.", {"type": "string", "format": "date-time"}),
            query("created_before", "RFC 3339 time.", {"type": "string", "format": "date-time"}),
            query("q", "Only jobs whose goal contains this text."),
            *PAGE,
        ),
    ),
    Operation(
        "get_job", "GET", "/v1/jobs/{job_id}", "jobs", "Return one job", "jobs:read",
        view_token=True, answer=answers.JobSchema, has_etag=True, problems=READ,
        query_parameters=(
            query("wait", "Wait up to so many seconds for a final state.",
                   {"type": "integer", "minimum": 0, "maximum": 60, "default": 0}),
        ),
    ),
    Operation(
        "estimate_job", "POST", "/v1/jobs/estimate", "jobs", "Tell what a job would cost",
        "jobs:write", answer=answers.EstimateSchema, answer_text="Nothing was stored.",
        body=JOB_BODY, stores=False,
        problems=(*KEY, *JSON_BODY, (404, "An input names an unknown table."),
                  (409, "A table still loads."),
                  (422, "Not valid, or `needs_planning`: only a model can plan this goal.")),
        detail="For a plan, or a goal the rules know. No model is asked.",
    ),
    Operation(
        "edit_job", "PATCH", "/v1/jobs/{job_id}", "jobs", "Change budget, deadline, ...",
        "jobs:write", answer=answers.JobSchema, answer_text="The job as it is now.",
        if_match="required", body={"application/json": {"schema": JobEditSchema}},
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "The job is final."), *MATCH, INVALID),
        detail="Members that are not named stay, null takes one away. A job's ETag matches here "
        "until its next event, however far its units get.",
    ),
    Operation(
        "pause_job", "POST", "/v1/jobs/{job_id}/pause", "jobs", "Pause a job", "jobs:write",
        status=202, answer=answers.JobSchema, body=NO_FIELDS, body_required=False,
        answer_text="What is under way ends; no further call is made.",
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "It cannot be paused now."), INVALID),
    ),
    Operation(
        "resume_job", "POST", "/v1/jobs/{job_id}/resume", "jobs", "Resume a job", "jobs:write",
        status=202, answer=answers.JobSchema, body=NO_FIELDS, body_required=False,
        answer_text="It goes on; no settled unit is run again.",
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "The job is not paused."), INVALID),
    ),
    Operation(
        "cancel_job", "POST", "/v1/jobs/{job_id}/cancel", "jobs", "Stop a job", "jobs:write",
        status=202, answer=answers.JobSchema, answer_text="It ends; settled results stay.",
        body=NO_FIELDS, body_required=False,
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "The job is final."), INVALID),
    ),
    Operation(
        "finalize_job", "POST", "/v1/jobs/{job_id}/finalize", "jobs", "End with what is there",
        "jobs:write", status=202, answer=answers.JobSchema, body=NO_FIELDS, body_required=False,
        answer_text="Calls in flight settle, the rest is skipped; the finish policy decides.",
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "The job ends already."), DELETED,
                  INVALID),
    ),
    Operation(
        "retry_job", "POST", "/v1/jobs/{job_id}/retry", "jobs", "Run failed units again",
        "jobs:write", status=202, answer=answers.JobSchema,
        answer_text="A new job (`retry_of`); `Location` is it.",
        body={"application/json": {"schema": RetrySchema}}, body_required=False,
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "The job is not final."), DELETED,
                  (422, "Not valid, or `nothing_selected`: no unit would run again.")),
        detail="Good units are carried over as they are, selected ones run again, and so does "
        "what lies downstream of a row that changed. `overrides` hold for the units that run.",
    ),
    Operation(
        "fork_job", "POST", "/v1/jobs/{job_id}/fork", "jobs", "Run with other inputs, plan, policy",
        "jobs:write", status=202, answer=answers.JobSchema,
        answer_text="A new job (`forked_from`); `Location` is it.",
        body={"application/json": {"schema": ForkSchema}},
        problems=(*KEY, *JSON_BODY, (404, "No such job, or an input names an unknown table."),
                  (409, "The job is not final."), DELETED, INVALID),
        detail="Model units that are the same as in the forked job take over its answers, unless "
        "`policy.reuse` is `none`.",
    ),
    Operation(
        "delete_job", "DELETE", "/v1/jobs/{job_id}", "jobs", "Delete a final job", "jobs:write",
        status=202, answer=answers.JobSchema, answer_text="Its tombstone; the rest is erased soon.",
        problems=(*KEY, NOT_FOUND, (409, "The job is not final."), INVALID),
        detail="Goal, inputs it came with, plans, results, raw answers and events' data are "
        "erased; tables that another job reads, or that were uploaded apart, stay.",
    ),
    Operation(
        "get_plan", "GET", "/v1/jobs/{job_id}/plan", "jobs", "Return the plan", "jobs:read",
        answer=answers.PlanSchema, has_etag=True, problems=READ,
        query_parameters=(query("version", "A former version.", {"type": "integer"}),),
    ),
    Operation(
        "put_plan", "PUT", "/v1/jobs/{job_id}/plan", "jobs", "Replace a plan that awaits approval",
        "jobs:write", answer=answers.PlanSchema, if_match="required",
        answer_text="The next version; it awaits approval too.",
        body={"application/json": {"schema": PlanEditSchema}},
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "The job does not await approval."),
                  *MATCH, INVALID),
    ),
    Operation(
        "approve_plan", "POST", "/v1/jobs/{job_id}/plan/approve", "jobs", "Approve a plan",
        "plans:approve", status=202, answer=answers.JobSchema, answer_text="The job runs.",
        if_match="required", body=NO_FIELDS, body_required=False,
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "The job does not await approval."),
                  *MATCH, INVALID),
        detail="The yes is to the plan whose ETag (its hash) is sent, and to no other.",
    ),
    Operation(
        "reject_plan", "POST", "/v1/jobs/{job_id}/plan/reject", "jobs", "Reject a plan",
        "plans:approve", status=202, answer=answers.JobSchema, if_match="optional",
        answer_text="The job ends as failed, `plan_rejected`.",
        body={"application/json": {"schema": RejectionSchema}}, body_required=False,
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "The job does not await approval."),
                  STALE, INVALID),
    ),
    Operation(
        "list_stages", "GET", "/v1/jobs/{job_id}/stages", "jobs", "List stages", "jobs:read",
        answer=answers.StageSchema, is_list=True, problems=READ,
    ),
    Operation(
        "list_subtasks", "GET", "/v1/jobs/{job_id}/subtasks", "jobs", "List settled subtasks",
        "jobs:read", answer=answers.SubtaskSchema, is_list=True, problems=READ,
        query_parameters=(
            query("stage", "Only this stage."),
            query("outcome", "Only this outcome.",
                   choice("succeeded", "invalid", "failed", "refused", "cancelled", "skipped")),
            *PAGE,
        ),
    ),
    Operation(
        "list_failures", "GET", "/v1/jobs/{job_id}/failures", "jobs", "List clusters of failures",
        "jobs:read", answer=answers.FailureSchema, is_list=True, problems=READ,
        detail="Of a running job from its first 10,000 failed units per stage.",
    ),
)  # fmt: skip
