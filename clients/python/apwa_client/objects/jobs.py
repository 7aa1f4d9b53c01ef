"""Jobs and what hangs below them."""

from typing import Any, Literal, TypedDict

from apwa_client.objects.data import ColumnObject

JobStatus = Literal[
    "queued",
    "planning",
    "piloting",
    "awaiting_approval",
    "running",
    "paused",
    "finalizing",
    "succeeded",
    "partial",
    "failed",
    "cancelled",
]
FINAL = ("succeeded", "partial", "failed", "cancelled")
ResultFormat = Literal["json", "jsonl", "csv", "parquet"]
Outcome = Literal["succeeded", "failed", "all"]


class ProgressObject(TypedDict, total=False):
    """Units by what became of them so far."""

    units: int
    succeeded: int
    failed: int
    skipped: int
    cancelled: int
    running: int
    waiting: int


class UsageObject(TypedDict, total=False):
    """What models were asked and what it cost, in millionths of a US dollar."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_microusd: int
    cost_unknown_microusd: int
    cache_hits: int


class ResultObject(TypedDict, total=False):
    """Where the answer is."""

    table: str
    rows: int | None
    columns: list[ColumnObject]


class JobObject(TypedDict, total=False):
    """A job."""

    id: str
    goal: str | None
    status: JobStatus
    status_reason: Any
    mode: str
    labels: dict[str, str]
    source: dict[str, str | None]
    retry_of: str | None
    forked_from: str | None
    approval: str
    approved: Any
    pilot: Any
    created_at: str
    started_at: str | None
    finished_at: str | None
    deadline_at: str | None
    deleted_at: str | None
    plan: dict[str, Any] | None
    progress: ProgressObject
    coverage: dict[str, Any] | None
    usage: UsageObject
    result: ResultObject | None
    error: Any
    links: dict[str, str]


class PlanObject(TypedDict, total=False):
    """One version of a job's plan."""

    version: int
    hash: str
    engine: str
    plan: dict[str, Any]
    findings: list[dict[str, Any]]
    price: dict[str, Any]
    created_at: str


class EstimateObject(TypedDict, total=False):
    """What a job would do and cost."""

    engine: str
    plan: dict[str, Any]
    hash: str
    findings: list[dict[str, Any]]
    price: dict[str, Any]


class StageObject(TypedDict, total=False):
    """A stage of a job."""

    name: str
    no: int
    status: str
    status_reason: Any
    capability: str
    is_result: bool
    units: int | None
    progress: ProgressObject
    coverage: dict[str, Any] | None
    usage: UsageObject
    shards: int
    open_shards: int
    table: str
    opened_at: str | None
    closed_at: str | None
    duration_ms: int | None


class SubtaskObject(TypedDict, total=False):
    """How one unit ended."""

    stage: str
    unit: int
    outcome: str
    error: dict[str, Any] | None
    attempt: int
    attempts: list[dict[str, Any]]
    input_tokens: int
    output_tokens: int
    cost_microusd: int
    worker: str | None
    duration_ms: int
    settled_at: str


class FailureObject(TypedDict, total=False):
    """Failed units of one kind, and what to do about them."""

    stage: str
    outcome: str
    code: str | None
    signature: str
    count: int
    sample_unit: int
    sample: str | None
    suggestion: str


class SubtaskDetailObject(TypedDict, total=False):
    """One subtask: what it saw, what was asked, what came of it and from where."""

    stage: str
    unit: int
    state: str
    outcome: str | None
    error: Any
    input: dict[str, Any]
    prompt: dict[str, Any]
    attempts: list[dict[str, Any]]
    output: Any
    replicas: list[dict[str, Any]]
    lineage: dict[str, Any] | None
    provenance: dict[str, Any]
    usage: UsageObject
    attempt: int | None
    worker: str | None
    duration_ms: int | None
    settled_at: str | None


class ViewTokenObject(TypedDict, total=False):
    """A token that shows one job; `token` is told once."""

    id: str
    job: str
    token: str | None
    expires_at: str
    links: dict[str, str]
