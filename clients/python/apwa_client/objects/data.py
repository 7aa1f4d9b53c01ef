"""Tables, and the records of streams."""

from typing import Any, TypedDict


class ColumnObject(TypedDict):
    """One column of a table."""

    name: str
    type: str


class TableObject(TypedDict, total=False):
    """A table; lists leave statistics and sample out."""

    id: str
    name: str
    kind: str
    status: str
    job: str | None
    columns: list[ColumnObject]
    key: str | None
    rows: int
    bytes: int
    hash: str | None
    report: dict[str, Any] | None
    created_at: str
    sealed_at: str | None
    links: dict[str, str]
    statistics: Any
    sample: list[dict[str, Any]] | None


class AppendedObject(TypedDict, total=False):
    """What became of appended records."""

    accepted: int
    duplicates: int
    rejected: list[dict[str, Any]]
    rejected_total: int


class RecordObject(TypedDict, total=False):
    """A record of a stream and what came of it."""

    key: str
    row: int
    stage: str | None
    unit: int | None
    outcome: str | None
    output: Any
    error: Any
    attempt: int | None
    accepted_at: str
    settled_at: str | None
    latency_ms: int | None


class StreamObject(TypedDict, total=False):
    """How the stream of a job stands."""

    input: str
    table: str
    key: str
    columns: list[ColumnObject]
    accepted: int
    unsettled: int
    ended_at: str | None
    sealed_at: str | None
    latency: dict[str, Any] | None
