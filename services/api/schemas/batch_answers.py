"""The answers of the OpenAI-compatible interface, as the openai package reads them."""

from marshmallow import Schema, fields


def _time(**rest: object) -> fields.Integer:
    told = {"description": "seconds since 1970"}
    return fields.Integer(required=True, metadata=told, **rest)  # type: ignore[arg-type]


def _kind(name: str) -> fields.String:
    return fields.String(required=True, metadata={"enum": [name]})


def _text(**rest: object) -> fields.String:
    return fields.String(required=True, **rest)  # type: ignore[arg-type]


class FileSchema(Schema):
    """A file; `bytes` of a file a batch made is 0 until it was counted."""

    id = _text()
    object = _kind("file")
    bytes = fields.Integer(required=True)
    created_at = _time()
    expires_at = _time(allow_none=True)
    filename = _text()
    purpose = fields.String(required=True, metadata={"enum": ["batch", "batch_output"]})
    status = fields.String(
        required=True,
        metadata={"enum": ["processed", "error"], "description": "error: no batch can run it"},
    )
    status_details = _text(allow_none=True)


class FileDeletedSchema(Schema):
    """What is left of a file."""

    id = _text()
    object = _kind("file")
    deleted = fields.Boolean(required=True)


class BatchErrorSchema(Schema):
    """One line that cannot be run."""

    code = _text()
    line = fields.Integer(required=True, allow_none=True)
    message = _text()
    param = _text(allow_none=True)


class BatchErrorsSchema(Schema):
    """Why a batch failed."""

    object = _kind("list")
    data = fields.List(fields.Nested(BatchErrorSchema), required=True)


class RequestCountsSchema(Schema):
    """Requests by what became of them."""

    total = fields.Integer(required=True)
    completed = fields.Integer(required=True)
    failed = fields.Integer(required=True)


class InputDetailsSchema(Schema):
    """Not counted here; always 0."""

    cached_tokens = fields.Integer(required=True)


class OutputDetailsSchema(Schema):
    """Not counted here; always 0."""

    reasoning_tokens = fields.Integer(required=True)


class BatchUsageSchema(Schema):
    """Tokens of an ended batch."""

    input_tokens = fields.Integer(required=True)
    input_tokens_details = fields.Nested(InputDetailsSchema, required=True)
    output_tokens = fields.Integer(required=True)
    output_tokens_details = fields.Nested(OutputDetailsSchema, required=True)
    total_tokens = fields.Integer(required=True)


class BatchJobSchema(Schema):
    """The job behind a batch; not part of OpenAI's interface."""

    job = _text()
    status = _text()
    status_reason = fields.Dict(required=True, allow_none=True)
    cost_microusd = fields.Integer(required=True, allow_none=True)


class BatchSchema(Schema):
    """A batch."""

    id = _text()
    object = _kind("batch")
    endpoint = _text()
    model = _text(allow_none=True)
    errors = fields.Nested(BatchErrorsSchema, required=True, allow_none=True)
    input_file_id = _text()
    completion_window = _text()
    status = fields.String(
        required=True,
        metadata={
            "enum": [
                "validating", "failed", "in_progress", "finalizing", "completed", "expired",
                "cancelling", "cancelled",
            ]
        },
    )  # fmt: skip
    output_file_id = _text(allow_none=True)
    error_file_id = _text(allow_none=True)
    created_at = _time()
    in_progress_at = _time(allow_none=True)
    expires_at = _time(allow_none=True)
    finalizing_at = _time(allow_none=True)
    completed_at = _time(allow_none=True)
    failed_at = _time(allow_none=True)
    expired_at = _time(allow_none=True)
    cancelling_at = _time(allow_none=True)
    cancelled_at = _time(allow_none=True)
    request_counts = fields.Nested(RequestCountsSchema, required=True)
    usage = fields.Nested(BatchUsageSchema, required=True, allow_none=True)
    metadata = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True, allow_none=True
    )
    apwa = fields.Nested(BatchJobSchema, required=True, allow_none=True)


class ModelSchema(Schema):
    """A model, or the name of an endpoint, that a line may ask for."""

    id = _text()
    object = _kind("model")
    created = _time()
    owned_by = _text(metadata={"description": "the endpoint that serves it"})


class _PageSchema(Schema):
    object = _kind("list")
    first_id = _text(allow_none=True)
    last_id = _text(allow_none=True)
    has_more = fields.Boolean(required=True)


class FilePageSchema(_PageSchema):
    """Files; the next page is asked for with `after`."""

    data = fields.List(fields.Nested(FileSchema), required=True)


class BatchPageSchema(_PageSchema):
    """Batches; the next page is asked for with `after`."""

    data = fields.List(fields.Nested(BatchSchema), required=True)


class ModelListSchema(Schema):
    """All models."""

    object = _kind("list")
    data = fields.List(fields.Nested(ModelSchema), required=True)
