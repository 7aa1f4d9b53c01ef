"""Whether and when a failed attempt is tried again: a pure function of attempt and failure."""

from dataclasses import dataclass
from typing import Any

from shared.domain.outcome import Outcome

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one attempt. `transient` ones may go better later."""

    code: str
    detail: str
    transient: bool = False
    retry_after_s: float | None = None
    outcome: Outcome = "failed"  # what the unit becomes if it is not tried again
    burns: bool = True  # False: the try does not count against the unit's retries
    decided: bool = False  # True: somebody who knows more chose `retry_after_s`; try again then
    raw: str | None = None  # the answer that could not be used
    pause: dict[str, Any] | None = None  # a reason for which the whole job pauses
    model: str | None = None  # which one was asked, where one was


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Try the unit again after `delay_s` seconds."""

    delay_s: float


def next_step(attempt: int, failure: Failure, retries: int, jitter: float) -> TryAgain | Outcome:
    """Decide after the unit's `attempt`-th try that counts (from 1): again, or its outcome.

    Exponential pauses with full jitter, `jitter` in [0, 1); `Retry-After` is a lower bound.
    """
    if failure.transient and failure.decided:
        return TryAgain(failure.retry_after_s or 0.0)
    if not failure.transient or attempt > retries:
        return failure.outcome
    pause = min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S) * jitter
    return TryAgain(max(pause, failure.retry_after_s or 0.0))
