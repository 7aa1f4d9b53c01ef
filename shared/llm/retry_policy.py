"""What follows a failed call: a pure function of the failure, how often it failed, and a die."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.domain.model_call import CallFailure

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
MOST_REPAIRS = 2
MOST_BAD_RESPONSES = 2  # tried again that often
MOST_OVERLOADED = 10  # tried again that often; about 5 minutes with the pauses between
OVERLOADED_BEFORE_FALLBACK = 3


@dataclass(frozen=True, slots=True)
class TryLater:
    """Call again after `delay_s`. `cool_down`: nobody calls that endpoint and model before."""

    delay_s: float
    cool_down: bool = False


@dataclass(frozen=True, slots=True)
class Repair:
    """Call again at once with the wrong answer and the error shown (`structured`)."""


@dataclass(frozen=True, slots=True)
class MoreTokens:
    """Call again at once with `times` the output tokens."""

    times: int = 2


@dataclass(frozen=True, slots=True)
class Shrink:
    """Halve the packed rows, or fold the group, and call with less."""


@dataclass(frozen=True, slots=True)
class UseFallback:
    """Call the endpoint's fallback instead."""


@dataclass(frozen=True, slots=True)
class PauseJob:
    """Nothing of the job can go on; a person resumes it. No attempt is burned."""

    reason: Literal["provider_quota"]


@dataclass(frozen=True, slots=True)
class End:
    """The unit's outcome; `code` is the failure's kind."""

    outcome: Literal["failed", "invalid", "refused"]
    code: str


Step = TryLater | Repair | MoreTokens | Shrink | UseFallback | PauseJob | End


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be done besides trying again. `retries` counts tries that burn an attempt."""

    retries: int = 2
    fallback: bool = False
    shrinkable: bool = False


def next_step(
    failure: CallFailure, failed: Mapping[str, int], jitter: float, choices: Choices
) -> Step:
    """Return what follows `failure`.

    `failed` counts this unit's failures by kind on the present endpoint, this one included;
    `jitter` is in [0, 1).
    """
    count = max(1, failed.get(failure.kind, 1))
    match failure.kind:
        case "rate_limited":
            return TryLater(_pause(failure, count, jitter), cool_down=True)
        case "quota":
            return UseFallback() if choices.fallback else PauseJob("provider_quota")
        case "overloaded":
            return _after_overload(failure, count, jitter, choices)
        case "permanent" | "redirect":
            usable = choices.fallback and failure.scope == "endpoint"
            return UseFallback() if usable else End("failed", failure.kind)
        case "context_overflow":
            return Shrink() if choices.shrinkable else End("failed", failure.kind)
        case "deadline":
            again = count <= choices.retries
            return TryLater(_pause(failure, count, jitter)) if again else _end_failed(failure)
        case "truncated":
            return MoreTokens() if count == 1 else End("invalid", failure.kind)
        case "refused":
            return End("refused", failure.kind)
        case "bad_output":
            return Repair() if count <= MOST_REPAIRS else End("invalid", failure.kind)
        case "bad_response":
            again = count <= MOST_BAD_RESPONSES
            return TryLater(_pause(failure, count, jitter)) if again else _end_failed(failure)
        case "too_large":
            return _end_failed(failure)


def _after_overload(failure: CallFailure, count: int, jitter: float, choices: Choices) -> Step:
    if choices.fallback and count >= OVERLOADED_BEFORE_FALLBACK:
        return UseFallback()
    if count > MOST_OVERLOADED:
        return _end_failed(failure)
    return TryLater(_pause(failure, count, jitter))


def _pause(failure: CallFailure, count: int, jitter: float) -> float:
    """Exponential with full jitter; the provider's word is the least, however long."""
    pause = min(FIRST_PAUSE_S * 2.0 ** min(count - 1, 30), LONGEST_PAUSE_S) * jitter
    return max(pause, failure.retry_after_s or 0.0)


def _end_failed(failure: CallFailure) -> End:
    return End("failed", failure.kind)
