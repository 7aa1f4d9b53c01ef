"""Rate limits of an endpoint as buckets that fill with time, and how flows share one: pure.

The script of the limiter (shared/llm/limiter_script.py) does the same inside Redis, step by step;
a test compares the two.
"""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MEASURES = ("requests", "tokens", "input_tokens", "output_tokens")
BURST_S = 1.0  # a bucket holds what comes in during this time, and at least one request
SMALL_SHARE = 0.1  # of the rate, for small jobs together, whenever any of them waits
ROUNDS = 4  # a flow gets its share in about this many helpings
_EPSILON = 1e-9

Amounts = tuple[float, float, float, float]  # one number per measure, in the order of MEASURES
Rates = tuple[float | None, float | None, float | None, float | None]  # per second; None = no limit


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What one model at one endpoint allows per minute, for the whole fleet; None is no limit.

    `tokens_per_minute` counts input and output together, as some providers do.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None

    def per_second(self, processes: int = 1) -> Rates:
        """Return the rates of one of `processes` equal processes."""
        return (
            _share(self.requests_per_minute, processes),
            _share(self.tokens_per_minute, processes),
            _share(self.input_tokens_per_minute, processes),
            _share(self.output_tokens_per_minute, processes),
        )


@dataclass(frozen=True, slots=True)
class Flow:
    """The calls one job has waiting in one process.

    `amounts` is what all `calls` (at least 1) need together. `weight` is the project's weight
    times the job's priority. `virtual` is how much the flow had so far, in seconds of the
    endpoint per weight; the flow that had least comes first.
    """

    key: str
    job_id: str
    project_id: str
    weight: float
    small: bool
    calls: int
    amounts: Amounts
    virtual: float


def capacities(rates: Rates) -> Amounts:
    """Return the most a bucket of these rates holds; 0 where there is no limit."""
    requests, *tokens = (0.0 if rate is None else rate * BURST_S for rate in rates)
    return (max(1.0, requests) if rates[0] is not None else 0.0, *tokens)  # type: ignore[return-value]


def effective_weights(flows: Sequence[Flow]) -> list[float]:
    """Return each flow's weight: projects share by weight, their jobs split the project's part.

    A project weighs as much as its heaviest waiting job. Flows of small jobs are lifted together
    to `SMALL_SHARE` of the whole if they have less.
    """
    jobs: dict[str, Flow] = {}
    for flow in flows:
        jobs.setdefault(flow.job_id, flow)
    top: dict[str, float] = {}
    total: dict[str, float] = {}
    for job in jobs.values():
        top[job.project_id] = max(top.get(job.project_id, 0.0), job.weight)
        total[job.project_id] = total.get(job.project_id, 0.0) + job.weight
    processes = Counter(flow.job_id for flow in flows)
    weights = [
        top[flow.project_id] * flow.weight / total[flow.project_id] / processes[flow.job_id]
        for flow in flows
    ]
    small = sum(weight for flow, weight in zip(flows, weights, strict=True) if flow.small)
    large = sum(weight for flow, weight in zip(flows, weights, strict=True) if not flow.small)
    wanted = large * SMALL_SHARE / (1 - SMALL_SHARE)
    if 0 < small < wanted:
        lift = wanted / small
        return [
            weight * lift if flow.small else weight
            for flow, weight in zip(flows, weights, strict=True)
        ]
    return weights


def share_out(level: Sequence[float], rates: Rates, flows: Sequence[Flow]) -> list[int]:
    """Return how many whole calls each flow gets of a bucket that holds `level`.

    Helpings go to the flow that had least so far. Nobody overtakes a flow whose next call does not
    fit by using the same measure. A call larger than the whole bucket goes once the bucket is full.
    """
    limited = [measure for measure in range(4) if rates[measure] is not None]
    if all(sum(flow.amounts[m] for flow in flows) <= level[m] + _EPSILON for m in limited):
        return [flow.calls for flow in flows]
    full, free = capacities(rates), list(level)
    weights = effective_weights(flows)
    everything = sum(weights)
    ready_s = min(max(0.0, free[m]) / (rates[m] or 1.0) for m in limited)
    given = [0] * len(flows)
    blocked: set[int] = set()
    waiting = [(flow.virtual, not flow.small, flow.key, i) for i, flow in enumerate(flows)]
    heapq.heapify(waiting)
    while waiting:
        virtual, large, key, i = heapq.heappop(waiting)
        flow = flows[i]
        size = [amount / flow.calls for amount in flow.amounts]
        used = [m for m in limited if size[m] > 0]
        if not blocked.isdisjoint(used):
            continue
        short = [m for m in used if free[m] < min(size[m], full[m]) - _EPSILON]
        if short:
            blocked.update(short)
            continue
        cost_s = max((size[m] / (rates[m] or 1.0) for m in used), default=0.0)
        helping = _helping(flow.calls - given[i], ready_s * weights[i] / everything, cost_s)
        # bounded before it is made whole: next to nothing of a call fits without end
        fitting = (int(min(helping, free[m] / size[m] + _EPSILON)) for m in used)
        helping = max(1, min(fitting, default=helping))
        given[i] += helping
        for m in used:
            free[m] -= helping * size[m]
        if given[i] < flow.calls:
            virtual += helping * cost_s / weights[i]
            heapq.heappush(waiting, (virtual, large, key, i))
    return given


class Bucket:
    """A bucket of one process by itself, used while Redis is away; times are monotonic seconds."""

    def __init__(self, rates: Rates, now: float, level: Amounts) -> None:
        self.rates = rates
        self.level = list(level)
        self._at = now

    def refill(self, now: float) -> None:
        """Add what came in since the last time, up to what the bucket holds."""
        passed, self._at = max(0.0, now - self._at), now
        for measure, (rate, full) in enumerate(
            zip(self.rates, capacities(self.rates), strict=True)
        ):
            if rate is not None:
                self.level[measure] = min(self.level[measure] + passed * rate, full)

    def take(self, amounts: Sequence[float]) -> None:
        """Take out (or, negative, put back) amounts; the level may fall below zero."""
        for measure, rate in enumerate(self.rates):
            if rate is not None:
                self.level[measure] -= amounts[measure]

    def ready_in_s(self, amounts: Sequence[float]) -> float:
        """Return the seconds until a call of this size may go."""
        return max(
            (min(amount, full) - level) / rate if rate and amount else 0.0
            for amount, full, level, rate in zip(
                amounts, capacities(self.rates), self.level, self.rates, strict=True
            )
        )


def _share(per_minute: float | None, processes: int) -> float | None:
    return None if per_minute is None else per_minute / 60.0 / max(1, processes)


def _helping(left: int, part_s: float, cost_s: float) -> int:
    """Return how many of `left` calls make up one helping of a share of `part_s` seconds."""
    if cost_s <= 0:
        return left
    return max(1, min(left, int(part_s / ROUNDS / cost_s)))
