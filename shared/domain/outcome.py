"""How an attempt ends: a closed set of values, not exceptions."""

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["succeeded", "invalid", "failed", "refused", "cancelled", "skipped"]
COUNTED_AS_FAILED: frozenset[str] = frozenset({"invalid", "failed", "refused"})


@dataclass(frozen=True, slots=True)
class Settled:
    """The one outcome of one unit and replica, as it is written to `results`.

    `output` is a list of rows (one row where the stage emits one), None unless succeeded. `source`
    lists runs [first row, count] of the stage's input table where the unit number does not say.
    """

    unit: int
    outcome: Outcome
    attempt: int
    replica: int = 0
    code: str | None = None
    detail: str | None = None
    output: list[dict[str, Any]] | None = None
    unit_hash: str | None = None
    source: list[list[int]] | None = None
    missing: int = 0
    duration_ms: int = 0
    usage: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """One try that was not a first-try success, as it is written to `attempts`.

    `outcome` is an `Outcome`, or ``retry`` when another try follows, or ``lost``.
    """

    unit: int
    number: int
    outcome: str
    replica: int = 0
    code: str | None = None
    detail: str | None = None
    raw: str | None = None
    duration_ms: int = 0
    burned: bool = True  # counts against the unit's retries
    usage: dict[str, Any] | None = None
    model: str | None = None  # which one was asked: what a unit that is tried again waits for
