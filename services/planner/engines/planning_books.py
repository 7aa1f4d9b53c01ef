"""What planning calls leave in the database: kept answers, usage, budget, why they wait."""

from typing import Any

from services.planner.engines.model_reply import reply_from_json, reply_to_json
from shared.database import endpoint_abilities, jobs, planning_calls, spend, usage
from shared.database.engine import Connection, Engine, retrying
from shared.domain.budget import NOTHING, Ask, Budget, Busy, Exhausted, Spend
from shared.domain.ids import new_id
from shared.domain.model_call import CallFailure, Reply
from shared.llm.abilities import UNKNOWN, Abilities
from shared.llm.endpoints import Endpoint
from shared.settings import Settings


class PlanningBooks:
    """The books of one visit of a planner to one round of a job; one call at a time."""

    def __init__(self, engine: Engine, settings: Settings, job_id: str, round_: int) -> None:
        self._engine, self._job_id, self._round = engine, job_id, round_
        self._lease_s = settings.lease_s
        self._default = Budget(
            microusd=int(settings.default_budget_usd * 1_000_000),
            tokens=settings.default_budget_tokens,
        )
        self._microusd_per_day = int(settings.quota_spend_usd_per_day * 1_000_000)
        self._holder = new_id("wrk")  # of its own: what a killed planner held expires apart
        self._spent = NOTHING

    def find(self, no: int, asked: str) -> Reply | None:
        """Return the kept answer to call `no`, if it answered this very request (its hash)."""
        found = retrying(
            self._engine,
            lambda tx: planning_calls.find(tx, self._job_id, self._round, no, asked),
        )
        return None if found is None else reply_from_json(found)

    def reserve(self, cost: Spend, call_s: float) -> Busy | Exhausted | None:
        """Reserve what one call may cost for as long as it may take; None when that is done."""

        def work(tx: Connection) -> Busy | Exhausted | None:
            spend.open_account(tx, self._job_id, self._default)
            ask = Ask(least=cost, wanted=cost)
            lease_s = call_s + self._lease_s
            got = spend.reserve(
                tx, self._job_id, self._holder, ask, lease_s,
                microusd_per_day=self._microusd_per_day,
            )  # fmt: skip
            return None if isinstance(got, spend.Reserved) else got

        return retrying(self._engine, work)

    def book(
        self, no: int, asked: str, came: Reply | CallFailure, cost_microusd: int, model: str
    ) -> None:
        """Book what a call took, hold nothing more, and keep a complete answer: all or nothing."""
        told = came.usage
        tokens = told.input_tokens + told.output_tokens if told else 0
        total = self._spent + Spend(cost_microusd, tokens, came.latency_ms)

        def work(tx: Connection) -> None:
            if self._is_new(tx, no, asked, came):
                usage.add_usage(
                    tx,
                    self._job_id,
                    model=model,
                    calls=1,
                    input_tokens=told.input_tokens if told else 0,
                    output_tokens=told.output_tokens if told else 0,
                    cost_microusd=cost_microusd,
                )
            spend.release(tx, self._job_id, self._holder, total)  # totals: twice changes nothing

        retrying(self._engine, work)
        self._spent = total

    def explain(self, reason: dict[str, Any] | None) -> None:
        """Say on the job why planning waits, or that it goes on."""
        if reason is None and self._round > 1:
            reason = {"kind": "replanning", "round": self._round}
        retrying(self._engine, lambda tx: jobs.explain_wait(tx, self._job_id, reason))

    def abilities(self, endpoint: Endpoint) -> Abilities:
        """Return what `apwa models probe` found out about an endpoint."""
        found = retrying(
            self._engine,
            lambda tx: endpoint_abilities.find(
                tx, endpoint.name, endpoint.address_hash, endpoint.model
            ),
        )
        return Abilities.from_json(found) if found else UNKNOWN

    def _is_new(self, tx: Connection, no: int, asked: str, came: Reply | CallFailure) -> bool:
        """Keep a complete answer; False when a COMMIT whose end nobody saw had kept it already."""
        if isinstance(came, CallFailure):
            return True
        kept = reply_to_json(came)
        return planning_calls.save(tx, self._job_id, self._round, no, asked, kept)
