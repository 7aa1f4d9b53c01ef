"""Planning engines: each returns a plan document or says why it cannot."""

from dataclasses import dataclass
from typing import Any


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
