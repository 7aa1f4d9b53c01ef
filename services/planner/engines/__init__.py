"""Planning engines: each returns a plan document or says why it cannot."""

from dataclasses import dataclass
from typing import Any

from shared.contracts.findings import Finding


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan document and the engine that wrote it."""

    engine: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NotPlanned:
    """Why no plan came out; `code` and `detail` become the job's error."""

    code: str
    detail: str
    can_do: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanningPaused:
    """Planning cannot go on until a person resumes the job; `reason` is its `status_reason`."""

    reason: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlanningLost:
    """The lease went to another planner, or the job was stopped: nothing may be written."""


Outcome = Planned | NotPlanned | PlanningPaused | PlanningLost
