"""What a client asks with a job, already checked in shape by the door it came through."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.domain.columns import Column


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that lies on this machine for the length of the request."""

    path: Path
    name: str  # as the client calls it; tells the format, never a path
    format: str | None = None
    sheet: str | None = None  # of a workbook; the first where none is named


@dataclass(frozen=True, slots=True)
class InputAddress:
    """Where an input is fetched from before the job is planned, and what it is, if that is told."""

    url: str
    format: str | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class InputRequest:
    """One named input: exactly one of `rows`, `text`, `table_id`, `file` and `address` is set.

    With `columns` it is a stream of records of these columns, `rows` being those it starts with.
    """

    name: str
    key: str | None = None
    rows: list[dict[str, Any]] | None = None
    text: str | None = None
    table_id: str | None = None
    file: UploadedFile | None = None
    columns: tuple[Column, ...] | None = None
    address: InputAddress | None = None


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """Where a job sends its own events, and which; signed with the project's secret."""

    url: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to be; `policy` has every field of the interface, defaults filled in."""

    goal: str | None
    planning: str
    plan: dict[str, Any] | None
    output: dict[str, Any] | None
    policy: dict[str, Any]
    priority: int
    inputs: tuple[InputRequest, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)  # which endpoint stands for planner, ...
    approval: str = "none"
    pilot: dict[str, Any] | None = None
    request_id: str | None = None
    traceparent: str | None = None
    retry_of: str | None = None
    forked_from: str | None = None
    trigger_id: str | None = None
    delivery_id: str | None = None  # makes no second job
    carry: dict[str, Any] | None = None  # of a retry: which outcomes run again
    webhook: WebhookRequest | None = None
    workflow: dict[str, Any] | None = None  # {id, name, version} it is a run of

    @property
    def mode(self) -> str:
        """``stream``, ``hybrid`` (a stream that starts with rows) or ``batch``."""
        streaming = [item for item in self.inputs if item.columns is not None]
        if not streaming:
            return "batch"
        return "hybrid" if any(item.rows for item in streaming) else "stream"
