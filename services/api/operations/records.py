"""Operations on the records of a stream."""

from services.api.operations.parts import (
    DELETED,
    INVALID,
    JSON_BODY,
    KEY,
    NO_FIELDS,
    NOT_FOUND,
    READ,
    Operation,
    query,
)
from services.api.record_body import NDJSON
from services.api.schemas import answers

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "append_records", "POST", "/v1/jobs/{job_id}/records", "records", "Append records",
        "jobs:write", status=202, answer=answers.AppendedSchema,
        answer_text="What is accepted is stored; what is known by its key is a duplicate.",
        body={
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            **{kind: {"schema": {"type": "string"}} for kind in NDJSON},
        },
        problems=(*KEY, *JSON_BODY, NOT_FOUND, DELETED,
                  (409, "A batch job, an ended stream, or a job that ends."), INVALID,
                  (429, "Too many records have no outcome; send it again after `Retry-After`.")),
        detail="Of a stream or hybrid job. Sent again after a lost answer, records are "
        "duplicates. Large bodies are accepted batch by batch.",
    ),
    Operation(
        "end_records", "POST", "/v1/jobs/{job_id}/records/end", "records", "End the records",
        "jobs:write", status=202, answer=answers.JobSchema, body=NO_FIELDS, body_required=False,
        answer_text="No more records; what waits for all of them runs next.",
        problems=(*KEY, *JSON_BODY, NOT_FOUND, (409, "A batch job."), DELETED, INVALID),
    ),
    Operation(
        "get_stream", "GET", "/v1/jobs/{job_id}/records", "records", "Tell how a stream stands",
        "jobs:read", answer=answers.StreamSchema, problems=READ,
    ),
    Operation(
        "get_record", "GET", "/v1/jobs/{job_id}/records/{key}", "records", "Return one record",
        "jobs:read", answer=answers.RecordSchema, problems=READ,
        query_parameters=(
            query("stage", "Another stage whose units are rows of the stream."),
        ),
    ),
)  # fmt: skip
