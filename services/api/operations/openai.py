"""Operations of the OpenAI-compatible interface."""

from services.api.operations.parts import (
    INVALID,
    JSON_BODY,
    KEY,
    NO_FIELDS,
    NOT_FOUND,
    READ,
    Operation,
    choice,
    query,
)
from services.api.schemas import batch_answers as answers
from services.api.schemas.batches import BatchRequestSchema

_FORM = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"type": "string", "enum": ["batch"]},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": 3_600, "maximum": 2_592_000},
    },
    "required": ["file", "purpose"],
    "additionalProperties": False,
}
_ENDED = (409, "The batch has ended, or a batch that has not uses the file.")


def _after(most: int, default: int) -> tuple[dict[str, object], ...]:
    page = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return (
        query("after", "The id of the last item of the page before."),
        query("limit", "Items of a page.", page),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create_file", "POST", "/openai/v1/files", "openai", "Upload a file of request lines",
        "tables:write", status=201, answer=answers.FileSchema,
        answer_text="Stored; `Location` is the file.",
        body={"multipart/form-data": {"schema": _FORM}},
        problems=(*KEY, (413, "Too large."), (415, "Not multipart/form-data."),
                  (422, "A field is not valid, or the file cannot be read.")),
        detail="For the openai package, with `base_url` ending in `/openai/v1` and a key of this "
        "service. JSON lines of `custom_id`, `method`, `url`, `body`. Lines that cannot be run do "
        "not keep a file from being stored; a batch over it fails and says which they are.",
    ),
    Operation(
        "list_files", "GET", "/openai/v1/files", "openai", "List files", "tables:read",
        answer=answers.FilePageSchema,
        query_parameters=(
            *_after(10_000, 10_000),
            query("order", "By creation; newest first when silent.", choice("asc", "desc")),
            query("purpose", "Only these.", choice("batch", "batch_output")),
        ),
        problems=(*KEY, INVALID),
        detail="Files that a batch made are listed once it has ended, for keys with jobs:read.",
    ),
    Operation(
        "get_file", "GET", "/openai/v1/files/{file_id}", "openai", "Return one file",
        "tables:read", answer=answers.FileSchema, problems=READ,
    ),
    Operation(
        "get_file_content", "GET", "/openai/v1/files/{file_id}/content", "openai",
        "Return the lines of a file", "tables:read", other_types=("application/jsonl",),
        answer_text="The lines; of a batch that runs, those that are there by now.",
        problems=READ,
        detail="Of output and error files, which also need jobs:read, the lines are in the order "
        "of the input file.",
    ),
    Operation(
        "delete_file", "DELETE", "/openai/v1/files/{file_id}", "openai", "Delete a file",
        "tables:write", answer=answers.FileDeletedSchema,
        answer_text="Gone; what was stored is erased soon.",
        problems=(*KEY, NOT_FOUND, _ENDED, INVALID),
        detail="With the last file that a batch made (which also needs jobs:write) the job of the "
        "batch is deleted.",
    ),
    Operation(
        "create_batch", "POST", "/openai/v1/batches", "openai", "Run the lines of a file",
        "jobs:write", status=201, answer=answers.BatchSchema,
        answer_text="Stored; `Location` is the batch. `failed` with `errors` where lines cannot "
        "be run.",
        body={"application/json": {"schema": BatchRequestSchema}},
        problems=(*KEY, *JSON_BODY, (404, "No such file in the key's project."), INVALID),
        detail="A job of one `chat` stage over the configured endpoints, **at their live prices: "
        "there is no discount for batches**. Nothing ends after `completion_window`: a batch runs "
        "until it is done, paused (then `apwa.status_reason` says why) or cancelled. Only "
        "/v1/chat/completions is offered.",
    ),
    Operation(
        "list_batches", "GET", "/openai/v1/batches", "openai", "List batches, newest first",
        "jobs:read", answer=answers.BatchPageSchema, query_parameters=_after(100, 20),
        problems=(*KEY, INVALID),
    ),
    Operation(
        "get_batch", "GET", "/openai/v1/batches/{batch_id}", "openai", "Return one batch",
        "jobs:read", answer=answers.BatchSchema, problems=READ,
        detail="The ids of output and error file are there as soon as there is a line in them.",
    ),
    Operation(
        "cancel_batch", "POST", "/openai/v1/batches/{batch_id}/cancel", "openai", "Stop a batch",
        "jobs:write", answer=answers.BatchSchema, body=NO_FIELDS, body_required=False,
        answer_text="It ends; its output file keeps what was answered.",
        problems=(*KEY, *JSON_BODY, NOT_FOUND, _ENDED, INVALID),
    ),
    Operation(
        "list_openai_models", "GET", "/openai/v1/models", "openai", "List what a line may ask for",
        "jobs:read", answer=answers.ModelListSchema, problems=(*KEY, INVALID),
    ),
    Operation(
        "get_openai_model", "GET", "/openai/v1/models/{model}", "openai", "Return one model",
        "jobs:read", answer=answers.ModelSchema,
        problems=(*KEY, (404, "No endpoint serves it."), INVALID),
    ),
)  # fmt: skip
