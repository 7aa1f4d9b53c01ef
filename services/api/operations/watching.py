"""Operations for those who watch a job, and look into what it did."""

from services.api.operations.parts import (
    DELETED,
    INVALID,
    JSON_BODY,
    KEY,
    NOT_FOUND,
    PAGE,
    READ,
    Operation,
)
from services.api.schemas import watching_answers as answers
from services.api.schemas.control import NewViewTokenSchema

LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    "description": "Of a stream: the id of the last event that was seen.",
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "list_events", "GET", "/v1/jobs/{job_id}/events", "jobs", "Tell what happens to a job",
        "jobs:read", view_token=True, answer=answers.EventSchema, is_list=True,
        other_types=("text/event-stream",), query_parameters=(*PAGE, LAST_EVENT_ID),
        answer_text="A page of events, oldest first; or a stream, for `Accept: text/event-stream`.",
        problems=(*READ, DELETED, (406, "Neither JSON nor a stream is accepted."),
                  (429, "`too_many_open_streams`: come back after `Retry-After`.")),
        detail="A stream begins with `snapshot` (job and stages), goes on with every event of the "
        "job and a `shard.done` for each finished shard, each with its number as `id`, and ends "
        "with `done` when the job is final. `Last-Event-ID` goes on after that number: every id "
        "comes once, in rising order. A comment is sent when nothing happens for 15 s.",
    ),
    Operation(
        "create_view_token", "POST", "/v1/jobs/{job_id}/view-tokens", "jobs",
        "Let others look at a job", "jobs:write", status=201, answer=answers.ViewTokenSchema,
        answer_text="The token, shown once.",
        body={"application/json": {"schema": NewViewTokenSchema}}, body_required=False,
        problems=(*KEY, *JSON_BODY, NOT_FOUND, DELETED, INVALID),
        detail="Whoever has it may GET job, events and results of this one job with `?token=`, "
        "without a key, until it expires, the job is deleted, or the key that made it ends.",
    ),
    Operation(
        "get_subtask", "GET", "/v1/jobs/{job_id}/subtasks/{stage}/{unit}", "jobs",
        "Return one subtask", "jobs:read", answer=answers.SubtaskDetailSchema,
        problems=(*READ, DELETED),
        detail="Input rows, the prompt as rendered, every try with its raw answer, the output, and "
        "where it comes from. `raw_status` says `erased` for an answer past its time, and `none` "
        "where nothing is kept beside the output.",
    ),
    Operation(
        "get_bundle", "GET", "/v1/jobs/{job_id}/bundle", "jobs", "Return the record as an archive",
        "jobs:read", binary_type="application/zip", answer_text="A zip, streamed.",
        problems=(*READ, (409, "The job is not final."), DELETED),
        detail="Goal, plans, prompts, raw answers, outputs, costs and hashes of a final job. "
        "`apwa replay` checks it and derives the record from it again, without a network.",
    ),
)  # fmt: skip
