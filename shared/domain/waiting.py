"""What a call is told that may not go yet."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

WaitKind = Literal["rate_limited", "budget", "breaker", "cancelled"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not now: ask again in about `retry_in_s` seconds. No attempt is burned by it.

    `model` is the endpoint key where one is meant. `final` says that waiting alone will not help:
    somebody has to raise a limit or to resume the job.
    """

    kind: WaitKind
    retry_in_s: float
    model: str | None = None
    final: bool = False

    def reason(self, now: datetime | None = None) -> dict[str, Any]:
        """Return the JSON shown as `status_reason`: kind, and model and until where known."""
        told: dict[str, Any] = {"kind": self.kind}
        if self.model is not None:
            told["model"] = self.model
        if not self.final:
            until = (now or datetime.now(UTC)) + timedelta(seconds=self.retry_in_s)
            told["until"] = until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return told
