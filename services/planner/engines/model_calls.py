"""Calls of the planning model: limited, retried, on the fallback if need be, kept and booked."""

import asyncio
import hashlib
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from services.planner.engines import NotPlanned, PlanningPaused
from services.planner.engines.endpoint_breakers import EndpointBreakers
from services.planner.engines.planning_books import PlanningBooks
from shared.database.engine import Engine
from shared.database.jobs import JobRecord
from shared.domain.bucket import RateLimits
from shared.domain.budget import Exhausted, Spend
from shared.domain.model_call import CallFailure, Reply, Usage
from shared.llm.abilities import Abilities
from shared.llm.client import ModelClient, client_for
from shared.llm.endpoints import Endpoint, Endpoints
from shared.llm.limiter import Granted, Limiter
from shared.llm.prices import microusd
from shared.llm.request import chat_body
from shared.llm.retry_policy import (
    Choices,
    End,
    MoreTokens,
    PauseJob,
    Shrink,
    TryLater,
    UseFallback,
    next_step,
)
from shared.llm.structured import Rung, choose_rung, lower_rung, response_format
from shared.llm.tokens import estimate_messages
from shared.plans.prompt.plan_schema import OUTLINE
from shared.settings import Settings

CALL_S = 180.0  # one call; the whole of planning has a limit of its own
OUTPUT_TOKENS = 6_000
EXPECTED_CALL_MS = 10_000
LOOK_AGAIN_S = 5.0  # another job's trial may have found the endpoint well again
BUSY_S = 1.0  # others hold what is left of the budget: look again after this
# An endpoint's fault, not the request's: another may answer, or the same once it is mended.
_OF_THE_ENDPOINT = frozenset({"permanent", "redirect", "overloaded", "deadline"})
_TOOLS_UNSUPPORTED = re.compile(r"\btools?\b|function.?call", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TooLong:
    """The request does not fit into the model's context: ask with less."""

    detail: str


Ended = NotPlanned | PlanningPaused | TooLong


class PlanningCalls:
    """The planning side's way to the models, for one round of one job; lives on one event loop.

    Every complete answer is kept in the transaction that books its usage, so a planner that
    takes over repeats at most the call that was in flight.
    """

    def __init__(
        self, engine: Engine, settings: Settings, endpoints: Endpoints, planner: Endpoint,
        job: JobRecord, round_: int, breakers: EndpointBreakers,
    ) -> None:  # fmt: skip
        self._settings, self._endpoints, self._job = settings, endpoints, job
        self._breakers = breakers
        self._round = round_
        self._books = PlanningBooks(engine, settings, job.id, round_)
        self._limiter = Limiter(settings.redis_url, f"planner-{job.id}")
        self._clients: dict[str, ModelClient] = {}
        self._abilities: dict[str, Abilities] = {}
        self._endpoint = planner
        self._rung: Rung | None = None
        self._no_tools: set[str] = set()
        self._no = 0
        self.waits = False
        self.tokens = 0

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint in use; another one once a fallback took over."""
        return self._endpoint

    async def takes_tools(self) -> bool:
        """Return True unless the endpoint is known to take no tools."""
        abilities = await self._known()
        return abilities.tools is not False and self._endpoint.name not in self._no_tools

    async def ask(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], *,
        may_call: bool,
    ) -> Reply | Ended:  # fmt: skip
        """Return a complete answer to the conversation, or what ends planning."""
        self._no += 1
        asked = hashlib.sha256(orjson.dumps(list(messages))).hexdigest()
        kept = await asyncio.to_thread(self._books.find, self._no, asked)
        if kept is not None:
            self.tokens += kept.usage.input_tokens + kept.usage.output_tokens
            return kept
        if self._round > 1 and self._no == 1:
            await asyncio.to_thread(self._books.explain, None)  # a pause in between had its own
        came = await self._ask(asked, messages, tools, may_call)
        await self._explain(None)
        return came

    async def close(self) -> None:
        """Close all connections."""
        await self._limiter.close()
        for client in self._clients.values():
            await client.close()

    async def _ask(
        self, asked: str, messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]], may_call: bool,
    ) -> Reply | Ended:  # fmt: skip
        """Call until there is an answer or the policy says that there will be none."""
        failed: Counter[str] = Counter()
        longest = OUTPUT_TOKENS
        left = {self._endpoint.name}  # endpoints may name each other: each gets one turn
        while True:
            fallback = self._fallback(left)
            if (rest_s := self._breakers.wait_s(self._endpoint)) > 0:
                if fallback is None:
                    await self._rest(rest_s)
                else:
                    failed = self._go_over(fallback, left)
                continue
            body = await self._body(messages, tools, may_call, longest)
            if ended := await self._reserve(body, longest):
                return ended
            came = await self._once(body, longest)
            await self._book(asked, came)
            if isinstance(came, Reply):
                return came
            if self._can_ask_less(came, body):
                continue
            failed[came.kind] += 1
            choices = Choices(fallback=fallback is not None, shrinkable=True)
            step = next_step(came, failed, random.random(), choices)  # noqa: S311 - jitter
            given_up = isinstance(step, End) and came.kind in _OF_THE_ENDPOINT
            if fallback is not None and (given_up or isinstance(step, UseFallback)):
                failed = self._go_over(fallback, left)
            elif isinstance(step, TryLater):
                await self._wait(came, step.delay_s)
            elif isinstance(step, MoreTokens):
                longest *= step.times
            elif isinstance(step, Shrink):
                return TooLong(came.detail)
            elif isinstance(step, PauseJob):
                return PlanningPaused({"kind": step.reason, "detail": came.detail})
            elif given_up:
                return PlanningPaused({"kind": "breaker", "code": came.kind, "detail": came.detail})
            else:
                return NotPlanned(f"planner_{came.kind}", f"The planning model: {came.detail}")

    def _fallback(self, left: set[str]) -> Endpoint | None:
        found = self._endpoints.fallback_of(self._endpoint)
        return None if found is None or found.name in left else found

    def _go_over(self, fallback: Endpoint, left: set[str]) -> Counter[str]:
        """Call another endpoint from now on; return the count of its failures, which is none."""
        left.add(fallback.name)
        self._endpoint, self._rung = fallback, None
        return Counter()

    async def _body(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]],
        may_call: bool, max_output_tokens: int,
    ) -> dict[str, Any]:  # fmt: skip
        """Tools give the answer its form; without them the strictest `response_format` does."""
        abilities = await self._known()
        offered = tools if await self.takes_tools() else ()
        if self._rung is None:
            self._rung = choose_rung(abilities, OUTLINE)
            if self._rung == "json_schema":  # a plan's own schema is open: strict mode has none
                self._rung = "json_object" if abilities.json_object is not False else "prompt"
        return chat_body(
            self._endpoint,
            messages,
            abilities=abilities,
            max_output_tokens=max_output_tokens,
            response_format=None if offered else response_format(self._rung, OUTLINE),
            tools=offered,
            tool_choice="auto" if may_call else "none",
        )

    def _can_ask_less(self, came: CallFailure, body: Mapping[str, Any]) -> bool:
        """Note what the endpoint does not take; True when the request can do without."""
        if came.kind != "permanent":
            return False
        if "tools" in body and _TOOLS_UNSUPPORTED.search(came.detail):
            self._no_tools.add(self._endpoint.name)
            return True
        if "response_format" in body and self._rung and (lower := lower_rung(self._rung, came)):
            self._rung = lower
            return True
        return False

    async def _once(self, body: dict[str, Any], max_output_tokens: int) -> Reply | CallFailure:
        endpoint = self._endpoint
        key = f"{endpoint.address_hash}/{endpoint.model}"
        granted = await self._permit(key, endpoint, body, max_output_tokens)
        came = await self._client(endpoint).call(body, deadline_s=CALL_S)
        self._breakers.note(endpoint, came)
        if came.usage is not None:
            self._limiter.settle(key, granted, came.usage.input_tokens, came.usage.output_tokens)
        limited = isinstance(came, CallFailure) and came.kind == "rate_limited"
        after = came.retry_after_s if isinstance(came, CallFailure) else None
        self._limiter.report(key, came.limits, (after or 1.0) if limited else None)
        return came

    async def _permit(
        self, key: str, endpoint: Endpoint, body: dict[str, Any], max_output_tokens: int
    ) -> Granted:
        while True:
            came = await self._limiter.acquire(
                key, self._job.id, self._job.project_id, float(self._job.priority), small=True,
                input_tokens=estimate_messages(body["messages"]), output_tokens=max_output_tokens,
                limits=RateLimits(
                    endpoint.requests_per_minute,
                    input_tokens_per_minute=endpoint.input_tokens_per_minute,
                    output_tokens_per_minute=endpoint.output_tokens_per_minute,
                ),
            )  # fmt: skip
            if isinstance(came, Granted):
                return came
            await self._explain(came.reason())
            await asyncio.sleep(came.retry_in_s)

    async def _wait(self, came: CallFailure, delay_s: float) -> None:
        kind = "rate_limited" if came.kind == "rate_limited" else "backoff"
        if delay_s >= 1:
            await self._explain(self._waiting(kind, delay_s, came.detail))
        await asyncio.sleep(delay_s)

    async def _rest(self, rest_s: float) -> None:
        """Wait while the breaker leaves the endpoint alone; look again after it or sooner."""
        detail = f"Endpoint {self._endpoint.name} is down and left alone."
        await self._explain(self._waiting("backoff", rest_s, detail))
        await asyncio.sleep(min(rest_s, LOOK_AGAIN_S))

    def _waiting(self, kind: str, for_s: float, detail: str) -> dict[str, Any]:
        until = datetime.now(UTC) + timedelta(seconds=for_s)
        told = until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"kind": kind, "model": self._endpoint.model, "until": told, "detail": detail}

    async def _explain(self, reason: dict[str, Any] | None) -> None:
        if reason is not None or self.waits:
            self.waits = reason is not None
            await asyncio.to_thread(self._books.explain, reason)

    async def _reserve(
        self, body: dict[str, Any], max_output_tokens: int
    ) -> NotPlanned | PlanningPaused | None:
        """Take the call's estimate out of the budget; None when the call may go."""
        expected = Usage(estimate_messages(body["messages"]), max_output_tokens)
        cost = Spend(
            microusd(expected, self._endpoint) or 0,
            expected.input_tokens + expected.output_tokens,
            EXPECTED_CALL_MS,
        )
        while True:
            came = await asyncio.to_thread(self._books.reserve, cost, CALL_S)
            if came is None:
                return None
            if isinstance(came, Exhausted):
                if came.scope != "day" and self._job.policy.get("on_budget") == "finish":
                    return NotPlanned("budget_exhausted", "The budget does not cover planning.")
                return PlanningPaused(came.reason())
            await asyncio.sleep(BUSY_S)

    async def _book(self, asked: str, came: Reply | CallFailure) -> None:
        """Book what a call took, and keep its answer, in one transaction."""
        cost = (microusd(came.usage, self._endpoint) or 0) if came.usage else 0
        if came.usage is not None:
            self.tokens += came.usage.input_tokens + came.usage.output_tokens
        model = self._endpoint.model
        await asyncio.to_thread(self._books.book, self._no, asked, came, cost, model)

    async def _known(self) -> Abilities:
        endpoint = self._endpoint
        if endpoint.name not in self._abilities:
            self._abilities[endpoint.name] = await asyncio.to_thread(
                self._books.abilities, endpoint
            )
        return self._abilities[endpoint.name]

    def _client(self, endpoint: Endpoint) -> ModelClient:
        if endpoint.name not in self._clients:
            self._clients[endpoint.name] = client_for(endpoint, self._settings)
        return self._clients[endpoint.name]
