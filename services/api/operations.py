"""Every operation of the interface as the document tells it; a test holds it to the routes."""

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from services.api.formats import MEDIA_TYPES
from services.api.record_body import NDJSON
from services.api.schemas import answers
from services.api.schemas.control import (
    ForkSchema,
    JobEditSchema,
    PlanEditSchema,
    RejectionSchema,
    RetrySchema,
)
from services.api.schemas.job_request import JobRequestSchema

Parameters = tuple[dict[str, Any], ...]


def _query(name: str, told: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "schema": schema or {"type": "string"},
        "description": told,
    }


def _choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


_LIMIT = _query(
    "limit", "Items of a page.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}
)
_PAGE: Parameters = (_LIMIT, _query("cursor", "`next_cursor` of the page before."))
_FORMAT = _query("format", "Wins over `Accept`; pages are for json.", _choice(*MEDIA_TYPES))
_STREAMS = tuple(kind for name, kind in MEDIA_TYPES.items() if name != "json")
_INVALID = (422, "A field or parameter is not valid; `errors` says which.")
_KEY = ((401, "No valid key."), (403, "The key lacks the scope."))
_JSON_BODY = (
    (400, "Not JSON."),
    (413, "Larger than this route takes."),
    (415, "Another media type or coding."),
)
_NOT_FOUND = (404, "No such object in the key's project.")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_JOB_BODY = {
    "application/json": {"schema": JobRequestSchema},
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"job": JobRequestSchema},
            "required": ["job"],
            "additionalProperties": {"type": "string", "format": "binary"},
        }
    },
}
_UPLOADS = (
    "text/csv", "application/json", "application/x-ndjson", "application/vnd.apache.parquet",
    "text/plain", "text/html", "application/octet-stream", "multipart/form-data",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `scope` None: any key; `public`: no key either."""

    name: str
    method: str
    path: str
    tag: str
    summary: str
    scope: str | None = None
    public: bool = False
    status: int = 200
    answer: type[Schema] | dict[str, Any] | None = None
    answer_text: str = "OK"
    is_list: bool = False
    resumes: bool = False
    has_etag: bool = False
    if_match: str = ""  # "required" or "optional"
    other_types: tuple[str, ...] = ()
    query_parameters: Parameters = ()
    body: dict[str, Any] | None = None
    body_required: bool = True
    problems: tuple[tuple[int, str], ...] = ()
    detail: str = ""

    @property
    def path_parameters(self) -> Parameters:
        """The ids in the path."""
        return tuple(
            {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
            for part in self.path.split("/")
            if part.startswith("{")
        )


_JOB_STATUSES = (
    "queued", "planning", "piloting", "awaiting_approval", "running", "paused", "finalizing",
    "succeeded", "partial", "failed", "cancelled",
)  # fmt: skip
_READ = (*_KEY, _NOT_FOUND, _INVALID)
_NO_FIELDS = {"application/json": {"schema": {"type": "object", "maxProperties": 0}}}
_STALE = (412, "It has changed since it was read.")
_DELETED = (410, "The job was deleted.")
_MATCH = (_STALE, (428, "`If-Match` is missing."))

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create_job", "POST", "/v1/jobs", "jobs", "Take a job in", "jobs:write",
        status=202, answer=answers.JobSchema, answer_text="Stored; `Location` is the job.",
        body=_JOB_BODY,
        problems=(*_KEY, *_JSON_BODY, (404, "An input names an unknown table."),
                  (409, "A table still loads, or the idempotency key is in flight."), _INVALID),
        detail="Multipart: a part `job` with the JSON and one file per input, named after it.",
    ),
    Operation(
        "list_jobs", "GET", "/v1/jobs", "jobs", "List jobs, newest first", "jobs:read",
        answer=answers.JobSchema, is_list=True, problems=(*_KEY, _INVALID),
        query_parameters=(
            _query("status", "Only jobs in this state.", _choice(*_JOB_STATUSES)),
            _query("label.KEY", "Only jobs whose label KEY has this value; repeatable by key."),
            _query("created_after", "RFC 3339 time.", {"type": "string", "format": "date-time"}),
            _query("created_before", "RFC 3339 time.", {"type": "string", "format": "date-time"}),
            _query("q", "Only jobs whose goal contains this text."),
            *_PAGE,
        ),
    ),
    Operation(
        "get_job", "GET", "/v1/jobs/{job_id}", "jobs", "Return one job", "jobs:read",
        answer=answers.JobSchema, has_etag=True, problems=_READ,
        query_parameters=(
            _query("wait", "Wait up to so many seconds for a final state.",
                   {"type": "integer", "minimum": 0, "maximum": 60, "default": 0}),
        ),
    ),
    Operation(
        "estimate_job", "POST", "/v1/jobs/estimate", "jobs", "Tell what a job would cost",
        "jobs:write", answer=answers.EstimateSchema, answer_text="Nothing was stored.",
        body=_JOB_BODY,
        problems=(*_KEY, *_JSON_BODY, (404, "An input names an unknown table."),
                  (409, "A table still loads."),
                  (422, "Not valid, or `needs_planning`: only a model can plan this goal.")),
        detail="For a plan, or a goal the rules know. No model is asked.",
    ),
    Operation(
        "edit_job", "PATCH", "/v1/jobs/{job_id}", "jobs", "Change budget, deadline, ...",
        "jobs:write", answer=answers.JobSchema, answer_text="The job as it is now.",
        if_match="required", body={"application/json": {"schema": JobEditSchema}},
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "The job is final."), *_MATCH, _INVALID),
        detail="Members that are not named stay, null takes one away. A job's ETag matches here "
        "until its next event, however far its units get.",
    ),
    Operation(
        "pause_job", "POST", "/v1/jobs/{job_id}/pause", "jobs", "Pause a job", "jobs:write",
        status=202, answer=answers.JobSchema, body=_NO_FIELDS, body_required=False,
        answer_text="What is under way ends; no further call is made.",
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "It cannot be paused now."), _INVALID),
    ),
    Operation(
        "resume_job", "POST", "/v1/jobs/{job_id}/resume", "jobs", "Resume a job", "jobs:write",
        status=202, answer=answers.JobSchema, body=_NO_FIELDS, body_required=False,
        answer_text="It goes on; no settled unit is run again.",
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "The job is not paused."), _INVALID),
    ),
    Operation(
        "cancel_job", "POST", "/v1/jobs/{job_id}/cancel", "jobs", "Stop a job", "jobs:write",
        status=202, answer=answers.JobSchema, answer_text="It ends; settled results stay.",
        body=_NO_FIELDS, body_required=False,
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "The job is final."), _INVALID),
    ),
    Operation(
        "finalize_job", "POST", "/v1/jobs/{job_id}/finalize", "jobs", "End with what is there",
        "jobs:write", status=202, answer=answers.JobSchema, body=_NO_FIELDS, body_required=False,
        answer_text="Calls in flight settle, the rest is skipped; the finish policy decides.",
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "The job ends already."), _DELETED,
                  _INVALID),
    ),
    Operation(
        "retry_job", "POST", "/v1/jobs/{job_id}/retry", "jobs", "Run failed units again",
        "jobs:write", status=202, answer=answers.JobSchema,
        answer_text="A new job (`retry_of`); `Location` is it.",
        body={"application/json": {"schema": RetrySchema}}, body_required=False,
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "The job is not final."), _DELETED,
                  (422, "Not valid, or `nothing_selected`: no unit would run again.")),
        detail="Good units are carried over as they are, selected ones run again, and so does "
        "what lies downstream of a row that changed. `overrides` hold for the units that run.",
    ),
    Operation(
        "fork_job", "POST", "/v1/jobs/{job_id}/fork", "jobs", "Run with other inputs, plan, policy",
        "jobs:write", status=202, answer=answers.JobSchema,
        answer_text="A new job (`forked_from`); `Location` is it.",
        body={"application/json": {"schema": ForkSchema}},
        problems=(*_KEY, *_JSON_BODY, (404, "No such job, or an input names an unknown table."),
                  (409, "The job is not final."), _DELETED, _INVALID),
        detail="Model units that are the same as in the forked job take over its answers, unless "
        "`policy.reuse` is `none`.",
    ),
    Operation(
        "delete_job", "DELETE", "/v1/jobs/{job_id}", "jobs", "Delete a final job", "jobs:write",
        status=202, answer=answers.JobSchema, answer_text="Its tombstone; the rest is erased soon.",
        problems=(*_KEY, _NOT_FOUND, (409, "The job is not final."), _INVALID),
        detail="Goal, inputs it came with, plans, results, raw answers and events' data are "
        "erased; tables that another job reads, or that were uploaded apart, stay.",
    ),
    Operation(
        "get_plan", "GET", "/v1/jobs/{job_id}/plan", "jobs", "Return the plan", "jobs:read",
        answer=answers.PlanSchema, has_etag=True, problems=_READ,
        query_parameters=(_query("version", "A former version.", {"type": "integer"}),),
    ),
    Operation(
        "put_plan", "PUT", "/v1/jobs/{job_id}/plan", "jobs", "Replace a plan that awaits approval",
        "jobs:write", answer=answers.PlanSchema, if_match="required",
        answer_text="The next version; it awaits approval too.",
        body={"application/json": {"schema": PlanEditSchema}},
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "The job does not await approval."),
                  *_MATCH, _INVALID),
    ),
    Operation(
        "approve_plan", "POST", "/v1/jobs/{job_id}/plan/approve", "jobs", "Approve a plan",
        "plans:approve", status=202, answer=answers.JobSchema, answer_text="The job runs.",
        if_match="required", body=_NO_FIELDS, body_required=False,
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "The job does not await approval."),
                  *_MATCH, _INVALID),
        detail="The yes is to the plan whose ETag (its hash) is sent, and to no other.",
    ),
    Operation(
        "reject_plan", "POST", "/v1/jobs/{job_id}/plan/reject", "jobs", "Reject a plan",
        "plans:approve", status=202, answer=answers.JobSchema, if_match="optional",
        answer_text="The job ends as failed, `plan_rejected`.",
        body={"application/json": {"schema": RejectionSchema}}, body_required=False,
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "The job does not await approval."),
                  _STALE, _INVALID),
    ),
    Operation(
        "list_stages", "GET", "/v1/jobs/{job_id}/stages", "jobs", "List stages", "jobs:read",
        answer=answers.StageSchema, is_list=True, problems=_READ,
    ),
    Operation(
        "list_subtasks", "GET", "/v1/jobs/{job_id}/subtasks", "jobs", "List settled subtasks",
        "jobs:read", answer=answers.SubtaskSchema, is_list=True, problems=_READ,
        query_parameters=(
            _query("stage", "Only this stage."),
            _query("outcome", "Only this outcome.",
                   _choice("succeeded", "invalid", "failed", "refused", "cancelled", "skipped")),
            *_PAGE,
        ),
    ),
    Operation(
        "list_failures", "GET", "/v1/jobs/{job_id}/failures", "jobs", "List clusters of failures",
        "jobs:read", answer=answers.FailureSchema, is_list=True, problems=_READ,
        detail="Of a running job from its first 10,000 failed units per stage.",
    ),
    Operation(
        "list_events", "GET", "/v1/jobs/{job_id}/events", "jobs", "List events, oldest first",
        "jobs:read", answer=answers.EventSchema, is_list=True, query_parameters=_PAGE,
        problems=(*_READ, (406, "Events are JSON pages in this version.")),
    ),
    Operation(
        "get_results", "GET", "/v1/jobs/{job_id}/results", "results", "Return the rows of a stage",
        "jobs:read", answer={"type": "object"}, is_list=True, resumes=True, other_types=_STREAMS,
        query_parameters=(
            _query("stage", "The result's stage when silent."),
            _query("outcome", "Units that did not succeed come as a row with `_apwa` only.",
                   _choice("succeeded", "failed", "all")),
            _query("include", "`lineage`, `input` or both, comma-separated: adds `_apwa`."),
            _FORMAT, *_PAGE,
        ),
        problems=(*_READ, (406, "None of the formats is accepted.")),
        detail="While the stage runs: its finished shards, in the order they were noted; "
        "`resume_cursor` is where later ones follow. After it: in unit order. `_apwa` holds "
        "stage, unit, source {table, name, rows [[first, count]]}, attempt; for a failed unit "
        "outcome, code, detail; with `input` up to 100 of the unit's input rows.",
    ),
    Operation(
        "append_records", "POST", "/v1/jobs/{job_id}/records", "records", "Append records",
        "jobs:write", status=202, answer=answers.AppendedSchema,
        answer_text="What is accepted is stored; what is known by its key is a duplicate.",
        body={
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            **{kind: {"schema": {"type": "string"}} for kind in NDJSON},
        },
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, _DELETED,
                  (409, "A batch job, an ended stream, or a job that ends."), _INVALID,
                  (429, "Too many records have no outcome; send it again after `Retry-After`.")),
        detail="Of a stream or hybrid job. Sent again after a lost answer, records are "
        "duplicates. Large bodies are accepted batch by batch.",
    ),
    Operation(
        "end_records", "POST", "/v1/jobs/{job_id}/records/end", "records", "End the records",
        "jobs:write", status=202, answer=answers.JobSchema, body=_NO_FIELDS, body_required=False,
        answer_text="No more records; what waits for all of them runs next.",
        problems=(*_KEY, *_JSON_BODY, _NOT_FOUND, (409, "A batch job."), _DELETED, _INVALID),
    ),
    Operation(
        "get_stream", "GET", "/v1/jobs/{job_id}/records", "records", "Tell how a stream stands",
        "jobs:read", answer=answers.StreamSchema, problems=_READ,
    ),
    Operation(
        "get_record", "GET", "/v1/jobs/{job_id}/records/{key}", "records", "Return one record",
        "jobs:read", answer=answers.RecordSchema, problems=_READ,
        query_parameters=(
            _query("stage", "Another stage whose units are rows of the stream."),
        ),
    ),
    Operation(
        "create_table", "POST", "/v1/tables", "tables", "Upload a table", "tables:write",
        status=201, answer=answers.TableSchema, answer_text="Loaded; `Location` is the table.",
        body=dict.fromkeys(_UPLOADS, _BINARY),
        query_parameters=(
            _query("name", "What to call it; also tells the format by its suffix."),
            _query("format", "Wins over the media type.",
                   _choice("csv", "json", "ndjson", "jsonl", "parquet", "txt", "html")),
            _query("key", "A unique column without nulls."),
        ),
        problems=(*_KEY, (413, "Too large."), (415, "Unknown media type."),
                  (422, "Cannot be read, or the key is not one.")),
        detail="Rows that cannot be read are counted in `report` with line and reason. Several "
        "files in a multipart body become one row per document: name, title, text.",
    ),
    Operation(
        "list_tables", "GET", "/v1/tables", "tables", "List input tables, newest first",
        "tables:read", answer=answers.TableBriefSchema, is_list=True, query_parameters=_PAGE,
        problems=(*_KEY, _INVALID),
    ),
    Operation(
        "get_table", "GET", "/v1/tables/{table_id}", "tables", "Return one table", "tables:read",
        answer=answers.TableSchema, has_etag=True, problems=_READ,
    ),
    Operation(
        "get_rows", "GET", "/v1/tables/{table_id}/rows", "tables", "Return the rows of a table",
        "tables:read", answer={"type": "object"}, is_list=True, other_types=_STREAMS,
        query_parameters=(_FORMAT, *_PAGE),
        problems=(*_READ, (406, "None of the formats is accepted."), (409, "Not sealed yet.")),
    ),
    Operation(
        "delete_table", "DELETE", "/v1/tables/{table_id}", "tables", "Erase a table",
        "tables:write", status=204, answer_text="Its rows are gone.",
        problems=(*_KEY, _NOT_FOUND, (409, "A job that is not final uses it."), _INVALID),
    ),
    Operation(
        "list_capabilities", "GET", "/v1/capabilities", "service", "List what workers can run",
        answer=answers.CapabilitySchema, is_list=True, problems=(_KEY[0], _INVALID),
    ),
    Operation(
        "livez", "GET", "/livez", "service", "Tell that the process lives", public=True,
        answer=answers.StatusSchema, problems=(_INVALID,),
    ),
    Operation(
        "readyz", "GET", "/readyz", "service", "Tell whether database, schema and broker are fine",
        public=True, answer=answers.StatusSchema, problems=((503, "What is wrong."), _INVALID),
    ),
    Operation(
        "version", "GET", "/version", "service", "Return what runs here", public=True,
        answer=answers.VersionSchema, problems=(_INVALID,),
    ),
)  # fmt: skip
