"""The shapes of answers: they document the interface, and tests hold real answers to them."""

from marshmallow import Schema, fields


def _text(**rest: object) -> fields.String:
    return fields.String(allow_none=True, **rest)  # type: ignore[arg-type]


def _object() -> fields.Dict:
    return fields.Dict(keys=fields.String(), allow_none=True)


class ProblemFieldSchema(Schema):
    """One bad field."""

    pointer = fields.String(required=True, metadata={"description": "JSON Pointer (RFC 6901)"})
    detail = fields.String(required=True)
    code = fields.String()


class PackageErrorSchema(Schema):
    """What the openai package makes its exceptions of."""

    message = fields.String(required=True)
    type = fields.String(required=True)
    code = fields.String(required=True)
    param = _text(required=True)


class ProblemSchema(Schema):
    """RFC 9457; every error has this shape."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "stable, for programs"})
    request_id = _text(required=True)
    errors = fields.List(fields.Nested(ProblemFieldSchema))
    error = fields.Nested(PackageErrorSchema, metadata={"description": "under /openai/v1 only"})


class ColumnSchema(Schema):
    """One column of a table."""

    name = fields.String(required=True)
    type = fields.String(
        required=True,
        metadata={"enum": ["string", "integer", "number", "boolean", "date", "timestamp", "json"]},
    )


class CountsSchema(Schema):
    """Units by what became of them."""

    units = fields.Integer(required=True)
    succeeded = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    skipped = fields.Integer(required=True)
    cancelled = fields.Integer(required=True)


class ProgressSchema(CountsSchema):
    """Units so far; `units` grows as stages open."""

    running = fields.Integer(required=True)
    waiting = fields.Integer(required=True)


class CoverageSchema(CountsSchema):
    """The ledger of a final job."""

    unreadable = fields.Integer(required=True)
    stages = fields.Dict(keys=fields.String(), values=fields.Nested(CountsSchema), required=True)


class UsageSchema(Schema):
    """What models were asked and what it cost, in millionths of a US dollar.

    `cost_unknown_microusd` is what may have been paid beyond that: calls that were cut off or
    never answered, and what lost processes had reserved.
    """

    calls = fields.Integer(required=True)
    input_tokens = fields.Integer(required=True)
    output_tokens = fields.Integer(required=True)
    cost_microusd = fields.Integer(required=True)
    cache_hits = fields.Integer(required=True)
    cost_unknown_microusd = fields.Integer(required=True)


class ResultSchema(Schema):
    """Where the answer is."""

    table = fields.String(required=True)
    rows = fields.Integer(required=True, allow_none=True)
    columns = fields.List(fields.Nested(ColumnSchema), required=True)


class PlanMarkSchema(Schema):
    """Which plan is in force."""

    version = fields.Integer(required=True)
    hash = fields.String(required=True)


class SourceSchema(Schema):
    """What started the job, other than a client."""

    trigger = _text(required=True)
    delivery = _text(required=True)


class WorkflowMarkSchema(Schema):
    """Which workflow a job is a run of, and which version of it."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    version = fields.Integer(required=True)


class JobWebhookSchema(Schema):
    """The endpoint a job brought itself, and what it hears of."""

    endpoint = fields.String(required=True)
    events = fields.List(fields.String(), required=True)


class JobSchema(Schema):
    """A job."""

    id = fields.String(required=True)
    goal = _text(required=True)
    status = fields.String(required=True)
    status_reason = fields.Raw(required=True, allow_none=True)
    mode = fields.String(required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    source = fields.Nested(SourceSchema, required=True)
    retry_of = _text(required=True)
    forked_from = _text(required=True)
    webhook = fields.Nested(JobWebhookSchema, required=True, allow_none=True)
    workflow = fields.Nested(WorkflowMarkSchema, required=True, allow_none=True)
    approval = fields.String(required=True, metadata={"enum": ["none", "plan", "pilot"]})
    approved = fields.Raw(
        required=True,
        allow_none=True,
        metadata={"description": "The last yes: version, hash, by, high_microusd."},
    )
    pilot = fields.Raw(required=True, allow_none=True)
    created_at = fields.String(required=True)
    started_at = _text(required=True)
    finished_at = _text(required=True)
    deadline_at = _text(required=True)
    deleted_at = _text(required=True)
    plan = fields.Nested(PlanMarkSchema, required=True, allow_none=True)
    progress = fields.Nested(ProgressSchema, required=True)
    coverage = fields.Nested(CoverageSchema, required=True, allow_none=True)
    usage = fields.Nested(UsageSchema, required=True)
    result = fields.Nested(ResultSchema, required=True, allow_none=True)
    error = fields.Raw(required=True, allow_none=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class PlanSchema(Schema):
    """One version of a job's plan; it never changes."""

    version = fields.Integer(required=True)
    hash = fields.String(required=True)
    engine = fields.String(required=True)
    plan = fields.Dict(required=True)
    findings = fields.List(fields.Dict(), required=True)
    price = fields.Dict(required=True)
    created_at = fields.String(required=True)


class EstimateSchema(Schema):
    """What a job would do and cost; nothing of it is stored."""

    engine = fields.String(required=True)
    plan = fields.Dict(required=True)
    hash = fields.String(required=True)
    findings = fields.List(fields.Dict(), required=True)
    price = fields.Dict(required=True)


class StageSchema(Schema):
    """A stage; `units` is null until its inputs are sealed."""

    name = fields.String(required=True)
    no = fields.Integer(required=True)
    status = fields.String(required=True)
    status_reason = fields.Raw(required=True, allow_none=True)
    capability = fields.String(required=True)
    is_result = fields.Boolean(required=True)
    units = fields.Integer(required=True, allow_none=True)
    progress = fields.Nested(ProgressSchema, required=True)
    coverage = fields.Nested(CountsSchema, required=True, allow_none=True)
    usage = fields.Nested(UsageSchema, required=True)
    shards = fields.Integer(required=True)
    open_shards = fields.Integer(required=True)
    table = fields.String(required=True)
    opened_at = _text(required=True)
    closed_at = _text(required=True)
    duration_ms = fields.Integer(required=True, allow_none=True)


class AttemptSchema(Schema):
    """One try that was not a first-try success."""

    number = fields.Integer(required=True)
    outcome = fields.String(required=True)
    code = _text(required=True)
    detail = _text(required=True)
    worker_id = _text(required=True)
    duration_ms = fields.Integer(required=True)
    ended_at = fields.String(required=True)


class SubtaskSchema(Schema):
    """How one unit ended."""

    stage = fields.String(required=True)
    unit = fields.Integer(required=True)
    outcome = fields.String(required=True)
    error = _object()
    attempt = fields.Integer(required=True)
    attempts = fields.List(fields.Nested(AttemptSchema), required=True)
    input_tokens = fields.Integer(required=True)
    output_tokens = fields.Integer(required=True)
    cost_microusd = fields.Integer(required=True)
    worker = _text(required=True)
    duration_ms = fields.Integer(required=True)
    settled_at = fields.String(required=True)


class FailureSchema(Schema):
    """Failed units of one kind; `suggestion` says what to do about them."""

    stage = fields.String(required=True)
    outcome = fields.String(required=True)
    code = _text(required=True)
    signature = fields.String(required=True)
    count = fields.Integer(required=True)
    sample_unit = fields.Integer(required=True)
    sample = _text(required=True)
    suggestion = fields.String(required=True)


class EventSchema(Schema):
    """One change of state."""

    id = fields.String(required=True)
    seq = fields.Integer(required=True)
    type = fields.String(required=True)
    actor = fields.String(required=True)
    data = fields.Dict(required=True)
    created_at = fields.String(required=True)


class TableBriefSchema(Schema):
    """A table as lists show it."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    status = fields.String(required=True)
    job = _text(required=True)
    columns = fields.List(fields.Nested(ColumnSchema), required=True)
    key = _text(required=True)
    rows = fields.Integer(required=True)
    bytes = fields.Integer(required=True)
    hash = _text(required=True)
    report = fields.Raw(required=True, allow_none=True)
    created_at = fields.String(required=True)
    sealed_at = _text(required=True)
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class TableSchema(TableBriefSchema):
    """A table with what is known of its columns."""

    statistics = fields.Raw(required=True, allow_none=True)
    sample = fields.Raw(required=True, allow_none=True)


class RejectedSchema(Schema):
    """A record that was not accepted: its place, and where in it the fault is."""

    index = fields.Integer(metadata={"description": "In a JSON array, from 0."})
    line = fields.Integer(metadata={"description": "Of lines, from 1."})
    pointer = fields.String(required=True, metadata={"description": "JSON Pointer in the record"})
    detail = fields.String(required=True)


class AppendedSchema(Schema):
    """What became of the records of one request; up to 1,000 rejected ones are told."""

    accepted = fields.Integer(required=True)
    duplicates = fields.Integer(required=True)
    rejected = fields.List(fields.Nested(RejectedSchema), required=True)
    rejected_total = fields.Integer(required=True)


class RecordSchema(Schema):
    """A record and what came of it; `outcome` is null while it is not settled."""

    key = fields.String(required=True)
    row = fields.Integer(required=True)
    stage = _text(required=True)
    unit = fields.Integer(required=True, allow_none=True)
    outcome = _text(required=True)
    output = fields.Raw(
        required=True,
        allow_none=True,
        metadata={"description": "The row it gave, or a list where the stage emits many."},
    )
    error = fields.Raw(required=True, allow_none=True)
    attempt = fields.Integer(required=True, allow_none=True)
    accepted_at = fields.String(required=True)
    settled_at = _text(required=True)
    latency_ms = fields.Integer(required=True, allow_none=True)


class LatencySchema(Schema):
    """Accepted to settled, of so many of the last 10,000 records."""

    settled = fields.Integer(required=True)
    p50_ms = fields.Integer(required=True, allow_none=True)
    p99_ms = fields.Integer(required=True, allow_none=True)


class StreamSchema(Schema):
    """How the stream of a job stands."""

    input = fields.String(required=True)
    table = fields.String(required=True)
    key = fields.String(required=True)
    columns = fields.List(fields.Nested(ColumnSchema), required=True)
    accepted = fields.Integer(required=True)
    unsettled = fields.Integer(required=True)
    ended_at = _text(required=True)
    sealed_at = _text(required=True)
    latency = fields.Nested(LatencySchema, required=True, allow_none=True)


class CapabilitySchema(Schema):
    """What workers here can run."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    description = fields.String(required=True)
    params = fields.Dict(required=True, metadata={"description": "JSON Schema"})
    units = fields.List(fields.String(), required=True)
    queue = fields.String(required=True)
    runs = fields.String(required=True)
    effects = fields.String(required=True)
    emits = fields.String(required=True)
    output = _object()
    computed_output = fields.Boolean(required=True)
    reusable = fields.Boolean(required=True)
    reads = fields.String(required=True)


class StatusSchema(Schema):
    """All is well."""

    status = fields.String(required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.String())


class VersionSchema(Schema):
    """What runs here."""

    version = fields.String(required=True)
    api = fields.String(required=True)
    schema = _text(required=True)
