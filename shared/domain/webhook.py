"""Which events go out as webhooks, what their body is, and when a failed one is tried again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

BATCHED: tuple[str, ...] = ("results.ready", "subtask.failed")  # at most one per job and span
JOB_EVENTS: tuple[str, ...] = (
    "job.planned",
    "job.awaiting_approval",
    "job.started",
    "job.paused",
    "job.budget_exhausted",
    "job.finished",
    *BATCHED,
)
ENDPOINT_DISABLED = "endpoint.disabled"  # told to the project's other endpoints
EVENTS: tuple[str, ...] = (*JOB_EVENTS, ENDPOINT_DISABLED)
PING = "ping"  # of /test; nobody subscribes to it

JITTER = 0.1  # of a delay, so that what failed together is not tried together
EXHAUSTED_IN_A_ROW = 3  # deliveries given up without a success before an endpoint may be disabled

DeliveryStatus = Literal["pending", "succeeded", "failed", "skipped", "cancelled"]


def event_body(type_: str, at: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent and signed; it never changes once the event is made."""
    return {"type": type_, "timestamp": rfc3339(at), "data": dict(data)}


def rfc3339(at: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def next_delay_s(
    delays_s: Sequence[float], tries: int, retry_after_s: float | None, luck: float
) -> float | None:
    """Return how long to wait after try number `tries` failed; None when it was the last.

    `delays_s` are the waits before each try, the first one's included; `luck` is from 0 to 1.
    What the receiver asks for (`Retry-After`) is kept, up to the longest of the delays.
    """
    if tries >= len(delays_s):
        return None
    delay = delays_s[tries] * (1 + JITTER * (2 * luck - 1))
    if retry_after_s is None:
        return delay
    return max(delay, min(retry_after_s, max(delays_s)))
