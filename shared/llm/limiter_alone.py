"""The limiter of one process by itself, while Redis is away: a fixed share of the rate."""

from collections.abc import Sequence

from shared.domain.bucket import Amounts, Bucket, Flow, Rates, share_out
from shared.llm.limiter_store import AskedFlow, Slice


class AloneShare:
    """One endpoint's bucket of this process, filled at the fleet's rate / `processes`."""

    def __init__(self, rates: Rates, processes: int, first_call: Amounts, now: float) -> None:
        self.made_for = (rates, processes)
        self._rates: Rates = tuple(  # type: ignore[assignment]
            None if rate is None else rate / processes for rate in rates
        )
        self._bucket = Bucket(self._rates, now, first_call)
        self._virtual: dict[str, float] = {}

    def give(self, asked: Sequence[AskedFlow], back: Sequence[float], now: float) -> Slice:
        """Return the slice for these flows, shared as the fleet's bucket would be."""
        self._bucket.take([-amount for amount in back])
        self._bucket.refill(now)
        clock = min((self._virtual.get(flow.job_id, 0.0) for flow in asked), default=0.0)
        self._virtual = {
            flow.job_id: max(clock, self._virtual.get(flow.job_id, 0.0)) for flow in asked
        }
        flows = [
            Flow(
                flow.job_id, flow.job_id, flow.project_id, flow.weight, flow.small, flow.calls,
                flow.amounts, self._virtual[flow.job_id],
            )
            for flow in asked
        ]  # fmt: skip
        given = share_out(self._bucket.level, self._rates, flows)
        wait_s = 0.0
        for flow, calls in zip(flows, given, strict=True):
            size = [amount / flow.calls for amount in flow.amounts]
            self._bucket.take([amount * calls for amount in size])
            self._virtual[flow.key] += calls / flow.weight
            if calls < flow.calls:
                wait_s = max(wait_s, self._bucket.ready_in_s(size))
        return Slice(given, 0.0, wait_s, self.made_for[0])
