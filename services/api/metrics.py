"""What /metrics shows: requests as this process counts them, and a cached look at the database."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from flask import Flask, Response, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from services.api.request_id import METHODS
from shared.database.engine import Connection, Engine, SQLAlchemyError
from shared.database.metrics import (
    FINAL_STATES,
    OPEN_STATES,
    OUTCOMES,
    QuickFacts,
    SlowFacts,
    quick_facts,
    slow_facts,
)
from shared.log import get_logger

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the lines for nothing
SLOW_TIMES = 12  # what is dear is asked so many times less often
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
T = TypeVar("T")


class Metrics:
    """The registry of one process; `text` is the answer of /metrics."""

    def __init__(self, engine: Engine, cache_s: float) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "apwa_api_requests", "Requests answered", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "apwa_api_request_duration_seconds", "Time to the answer, without its streaming",
            ("method", "route"), buckets=_BUCKETS_S, registry=self._registry,
        )  # fmt: skip
        self._registry.register(_Facts(engine, cache_s))

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)

    def count(self, response: Response) -> Response:
        """Count an answer, by the route's template: what clients made up is one route."""
        route = request.url_rule.rule if request.url_rule else "unmatched"
        method = request.method if request.method in METHODS else "other"
        self._requests.labels(method, route, str(response.status_code)).inc()
        started = g.get("started")
        if started is not None:
            self._seconds.labels(method, route).observe(time.monotonic() - started)
        return response


def install(app: Flask, metrics: Metrics) -> None:
    """Count every answer of the application."""
    app.after_request(metrics.count)


class _Cached(Generic[T]):
    """The last look at something; one thread at a time looks anew, others take what there is."""

    def __init__(self, look: Callable[[Connection], T], kept_s: float) -> None:
        self._look, self._kept_s = look, kept_s
        self._lock = threading.Lock()
        self._found: T | None = None
        self._until = 0.0

    def get(self, engine: Engine) -> T | None:
        """Return what is known; None while the database has never answered."""
        if time.monotonic() < self._until or not self._lock.acquire(blocking=False):
            return self._found
        try:
            with engine.connect() as connection:
                self._found = self._look(connection)
        except SQLAlchemyError as error:
            self._found = None
            get_logger().warning("metrics_not_read", error=type(error).__name__)
        finally:
            self._until = time.monotonic() + self._kept_s
            self._lock.release()
        return self._found


class _Facts:
    """A collector over the cached looks."""

    def __init__(self, engine: Engine, cache_s: float) -> None:
        self._engine = engine
        self._quick = _Cached(quick_facts, cache_s)
        self._slow = _Cached(slow_facts, cache_s * SLOW_TIMES)

    def describe(self) -> Iterator[Metric]:
        """Name nothing ahead: that would ask the database while the process starts."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield what is known; without a database only that it is away."""
        quick, slow = self._quick.get(self._engine), self._slow.get(self._engine)
        yield GaugeMetricFamily(
            "apwa_database_up", "1 when the database answered", value=float(quick is not None)
        )
        if quick is not None:
            yield from _of_now(quick)
        yield _jobs(quick, slow)
        if slow is not None:
            yield from _of_all(slow)


def _jobs(quick: QuickFacts | None, slow: SlowFacts | None) -> Metric:
    family = GaugeMetricFamily("apwa_jobs", "Jobs by state", labels=["state"])
    for states, counts in (
        (OPEN_STATES, quick.open_jobs if quick else None),
        (FINAL_STATES, slow.final_jobs if slow else None),
    ):
        if counts is not None:
            for state in states:
                family.add_metric([state], counts.get(state, 0))
    return family


def _of_now(facts: QuickFacts) -> Iterator[Metric]:
    due = GaugeMetricFamily("apwa_due_shards", "Shards that wait for a worker", labels=["queue"])
    oldest = GaugeMetricFamily(
        "apwa_queue_oldest_seconds", "How long the first of them waits", labels=["queue"]
    )
    for queue in sorted({"cpu", "model", *facts.due_shards}):
        due.add_metric([queue], facts.due_shards.get(queue, 0))
        oldest.add_metric([queue], facts.oldest_due_s.get(queue, 0.0))
    yield due
    yield oldest
    for name, told, number in (
        ("apwa_workers_live", "Workers seen lately", facts.workers_live),
        ("apwa_worker_slots", "Their slots", facts.slots),
        ("apwa_worker_slots_busy", "Slots in use", facts.busy),
        ("apwa_budget_reserved_microusd", "Money processes hold", facts.reserved_microusd),
        ("apwa_budget_spent_microusd", "Money spent", facts.spent_microusd),
        ("apwa_budget_unknown_microusd", "Perhaps spent, for no answer", facts.unknown_microusd),
    ):
        yield GaugeMetricFamily(name, told, value=number)


def _of_all(facts: SlowFacts) -> Iterator[Metric]:
    units = GaugeMetricFamily(
        "apwa_subtasks", "Units of the stages that are kept, as counted so far", labels=["outcome"]
    )
    for outcome in OUTCOMES:
        units.add_metric([outcome], facts.units.get(outcome, 0))
    yield units
    deliveries = GaugeMetricFamily(
        "apwa_webhook_deliveries", "Webhooks that are kept", labels=["status"]
    )
    for status, count in sorted(facts.deliveries.items()):
        deliveries.add_metric([status], count)
    yield deliveries
    broken = GaugeMetricFamily(
        "apwa_invariants_broken", "What the auditor found in its last look", labels=["invariant"]
    )
    for invariant, count in sorted(facts.broken.items()):
        broken.add_metric([invariant], count)
    yield broken
    if facts.looked_s is not None:
        yield GaugeMetricFamily(
            "apwa_invariants_looked_seconds", "How long ago that was", value=facts.looked_s
        )
    calls = CounterMetricFamily("apwa_llm_requests", "Booked calls of models", labels=["model"])
    tokens = CounterMetricFamily(
        "apwa_llm_tokens", "Their tokens", labels=["model", "direction"]
    )  # fmt: skip
    for model, sums in facts.calls.items():
        calls.add_metric([model], sums["calls"])
        tokens.add_metric([model, "input"], sums["input_tokens"])
        tokens.add_metric([model, "output"], sums["output_tokens"])
    yield calls
    yield tokens
