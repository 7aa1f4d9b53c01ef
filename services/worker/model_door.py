"""The worker's door to the models: limits, breakers, fallbacks and retry policy in one place."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from services.worker.account import Account
from services.worker.model_ended import ModelEndedError
from shared.domain.bucket import RateLimits
from shared.domain.budget import Spend
from shared.domain.model_call import CallFailure, Reply, Usage
from shared.domain.waiting import Waiting
from shared.llm.abilities import UNKNOWN, Abilities
from shared.llm.answers import read_answer
from shared.llm.breaker import EndpointBreaker
from shared.llm.client import ModelClient, client_for
from shared.llm.endpoints import Endpoint, Endpoints
from shared.llm.limiter import Granted, Limiter
from shared.llm.prices import microusd
from shared.llm.purse import Purse
from shared.llm.request import chat_body, stated_output_tokens, with_output_limit
from shared.llm.retry_policy import (
    Choices,
    End,
    MoreTokens,
    PauseJob,
    Repair,
    Shrink,
    TryLater,
    UseFallback,
    next_step,
)
from shared.llm.structured import (
    Rung,
    choose_rung,
    lower_rung,
    response_format,
    schema_instructions,
)
from shared.llm.tokens import estimate_tokens_of_request
from shared.settings import Settings

EXPECTED_OUTPUT_TOKENS = 500  # of a call that sets no limit, for limits and reservations
EXPECTED_CALL_MS = 2_000
NOT_OUR_UNIT_S = 2.0
PATIENCE_S = 5.0  # for a slice of the budget that is on its way
MOST_SCHEMAS = 1_000  # of one endpoint; forgotten all at once, which costs one refused call each
_NOT_THE_BODYS_FAULT = frozenset({"rate_limited", "overloaded", "quota"})
_COST_UNKNOWN = frozenset({"deadline", "bad_response", "too_large"})  # when no usage was told


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf calls are made. `weight` is project weight times job priority."""

    job_id: str
    project_id: str
    weight: float
    small: bool
    retries: int
    deadline_s: float
    failed: Mapping[str, int]  # earlier tries of this unit by failure code
    stopped: Callable[[], bool]  # True when the shard was lost or the worker stops
    purse: Purse


@dataclass(slots=True)
class _Line:
    """One endpoint as this process uses it."""

    endpoint: Endpoint
    client: ModelClient
    abilities: Abilities
    limits: RateLimits
    room: asyncio.Semaphore
    breaker: EndpointBreaker = field(default_factory=EndpointBreaker)
    rungs: dict[bytes, Rung] = field(default_factory=dict)  # by the schema's text

    @property
    def key(self) -> str:
        return f"{self.endpoint.address_hash}/{self.endpoint.model}"


@dataclass(slots=True)
class _Entry:
    """A call that may go: what was reserved for it, and whether it went out and was booked."""

    purse: Purse
    cost: Spend
    began: float
    granted: Granted | None = None
    sent: bool = False
    booked: bool = False

    @property
    def took_ms(self) -> int:
        return int((time.monotonic() - self.began) * 1000)


class ModelDoor:
    """All endpoints of one worker process; belongs to its event loop."""

    def __init__(
        self,
        endpoints: Endpoints,
        abilities: Mapping[str, Abilities],
        limiter: Limiter,
        settings: Settings,
    ) -> None:
        self._endpoints, self._abilities = endpoints, abilities
        self._limiter, self._settings = limiter, settings
        self._lines: dict[str, _Line] = {}
        self.calls_by_endpoint: Counter[str] = Counter()

    def context_tokens(self, name: str) -> int:
        """Return how many tokens the model of an endpoint takes, in and out together."""
        return self._line(self._find(name)).endpoint.context_tokens

    async def call(
        self,
        caller: Caller,
        account: Account,
        name: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        schema: dict[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str | Mapping[str, Any] | None = None,
        max_output_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Reply:
        """Return a complete answer, if need be of a fallback; raise ModelEndedError else.

        Failures a capability can mend at once (too short, too long a prompt) are raised with
        `failure` set and nothing decided.
        """
        line = self._line(self._find(name))
        failed: dict[str, int] = defaultdict(int, caller.failed)
        asked = orjson.dumps(schema) if schema else b""
        turned_to = {line.endpoint.name}  # each endpoint gets one turn: fallbacks may form a ring
        while True:
            rung = _rung(line, asked)
            body = chat_body(
                line.endpoint,
                _with_schema(messages, rung, schema),
                abilities=line.abilities,
                max_output_tokens=max_output_tokens,
                temperature=temperature,
                response_format=_format(rung, asked) if rung else None,
                tools=tools,
                tool_choice=tool_choice,
            )
            fallback = self._endpoints.fallback_of(line.endpoint)
            if fallback is not None and fallback.name in turned_to:
                fallback = None
            rest_s = line.breaker.wait_s(time.monotonic())
            if rest_s > 0:
                if fallback is None:
                    raise _resting(line, rest_s)
                line = self._line(fallback)
                turned_to.add(fallback.name)
                continue
            came = await self._once(caller, account, line, body, max_output_tokens)
            if isinstance(came, Reply):
                return came
            if rung and schema and (lower := lower_rung(rung, came)):
                line.rungs[asked] = lower
                continue
            failed[came.kind] += 1
            choices = Choices(retries=caller.retries, fallback=fallback is not None)
            step = next_step(came, failed, random.random(), choices)  # noqa: S311 - jitter
            if isinstance(step, UseFallback) and fallback is not None:
                line = self._line(fallback)
                turned_to.add(fallback.name)
                failed = defaultdict(int)
                continue
            raise _ended(came, step, line)

    async def raw(
        self, caller: Caller, account: Account, name: str, body: Mapping[str, Any], *,
        max_output_tokens: int | None = None,
    ) -> tuple[int, str | None, Any]:  # fmt: skip
        """Send a ready chat body as is; return (status, request id, decoded body).

        A body that sets no limit gets `max_output_tokens`, or what its prompt leaves of the
        model's context where that is less.
        """
        line = self._line(self._find(name))
        rest_s = line.breaker.wait_s(time.monotonic())
        if rest_s > 0:
            raise _resting(line, rest_s)
        stated = stated_output_tokens(body)
        if max_output_tokens is not None:
            room = line.endpoint.context_tokens - estimate_tokens_of_request(orjson.dumps(body))
            most = max(1, min(max_output_tokens, room))
            body = with_output_limit(body, most, line.abilities)
        sent = orjson.dumps(body)
        async with self._entered(caller, line, sent, stated) as entry:
            answer = await line.client.send(body, deadline_s=caller.deadline_s)
            came = answer if isinstance(answer, CallFailure) else read_answer(answer, sent)
            self._leave(account, line, entry, came)
        if isinstance(answer, CallFailure) or (
            isinstance(came, CallFailure) and came.kind in _NOT_THE_BODYS_FAULT
        ):
            failure = came if isinstance(came, CallFailure) else None
            assert failure is not None  # noqa: S101 - either branch above is a failure
            failed = {**caller.failed, failure.kind: caller.failed.get(failure.kind, 0) + 1}
            raise _ended(failure, next_step(failure, failed, random.random(), Choices()), line)  # noqa: S311
        return answer.status, answer.headers.get("x-request-id"), _decoded(answer.content)

    async def close(self) -> None:
        """Close all connections."""
        await self._limiter.close()
        for line in self._lines.values():
            await line.client.close()

    async def _once(
        self, caller: Caller, account: Account, line: _Line, body: dict[str, Any],
        max_output_tokens: int | None,
    ) -> Reply | CallFailure:  # fmt: skip
        sent = orjson.dumps(body)
        async with self._entered(caller, line, sent, max_output_tokens) as entry:
            came = await line.client.call(body, deadline_s=caller.deadline_s)
            self._leave(account, line, entry, came)
        return came

    @asynccontextmanager
    async def _entered(
        self, caller: Caller, line: _Line, sent: bytes, max_output_tokens: int | None
    ) -> AsyncIterator["_Entry"]:
        """Hold a permit, a reservation and a place in flight; raise a postponement without one."""
        expected = Usage(
            estimate_tokens_of_request(sent), max_output_tokens or EXPECTED_OUTPUT_TOKENS
        )
        cost = Spend(
            microusd(expected, line.endpoint) or 0,
            expected.input_tokens + expected.output_tokens,
            EXPECTED_CALL_MS,
        )
        if caller.stopped():
            raise _stopped()
        await self._reserve(caller, cost)
        entry = _Entry(caller.purse, cost, time.monotonic())
        try:
            async with line.room:  # first, so that the permit is used the moment it is given
                entry.granted = await self._permit(caller, line, expected)
                if caller.stopped():
                    raise _stopped()
                entry.began = time.monotonic()
                self.calls_by_endpoint[line.endpoint.name] += 1
                entry.sent = True
                yield entry
        finally:
            if entry.sent and not entry.booked:  # cut off: by the attempt's limit, a lost lease
                caller.purse.unanswered(cost, entry.took_ms)
                if entry.took_ms > caller.deadline_s * 500:  # most of the attempt was this call
                    self._note_breaker(line, CallFailure("deadline", "cut off"))
            elif not entry.booked:
                caller.purse.not_spent(cost)

    async def _reserve(self, caller: Caller, cost: Spend) -> None:
        patience_s = min(PATIENCE_S, caller.deadline_s / 2)  # a wait is no reason for a timeout
        answer = await caller.purse.may_spend_soon(cost, patience_s)
        if answer is True:
            return
        pause, why = None, caller.purse.exhausted
        if answer.final and why is not None:
            pause = why.reason()
        raise ModelEndedError(
            "budget", "The budget of the job or its project is used up or in use elsewhere.",
            transient=True, retry_after_s=answer.retry_in_s, decided=True, burns=False,
            pause=pause,
        )  # fmt: skip

    async def _permit(self, caller: Caller, line: _Line, expected: Usage) -> Granted:
        """Wait for the fleet's limit; a long wait becomes a postponement."""
        came = await self._limiter.acquire(
            line.key, caller.job_id, caller.project_id, caller.weight, small=caller.small,
            input_tokens=expected.input_tokens, output_tokens=expected.output_tokens,
            limits=line.limits,
        )  # fmt: skip
        if isinstance(came, Waiting):
            raise ModelEndedError(
                came.kind, f"The limit of {line.endpoint.model} is used up.", transient=True,
                retry_after_s=came.retry_in_s, decided=True, burns=False,
                model=line.endpoint.model,
            )  # fmt: skip
        return came

    def _leave(
        self, account: Account, line: _Line, entry: "_Entry", came: Reply | CallFailure
    ) -> None:
        """Book what the call took, and pass on what its answer told about the endpoint."""
        usage, cost = came.usage, None
        if usage is not None:
            cost = microusd(usage, line.endpoint)
            if entry.granted is not None:
                self._limiter.settle(
                    line.key, entry.granted, usage.input_tokens, usage.output_tokens
                )
        if isinstance(came, Reply) or came.status is not None:  # else nothing answered
            account.add(usage, cost, line.endpoint.model)
        if usage is None and isinstance(came, CallFailure) and came.kind in _COST_UNKNOWN:
            entry.purse.unanswered(entry.cost, entry.took_ms)
        else:
            tokens = usage.input_tokens + usage.output_tokens if usage else 0
            entry.purse.spent(entry.cost, Spend(cost or 0, tokens, entry.took_ms))
        entry.booked = True
        self._note(line, came)

    def _note(self, line: _Line, came: Reply | CallFailure) -> None:
        self._note_breaker(line, came)
        limited = isinstance(came, CallFailure) and came.kind == "rate_limited"
        after = came.retry_after_s if isinstance(came, CallFailure) and limited else None
        self._limiter.report(line.key, came.limits, (after or 1.0) if limited else None)

    def _note_breaker(self, line: _Line, came: Reply | CallFailure) -> None:
        now = time.monotonic()
        before_s = line.breaker.rest_s(now)
        line.breaker.note(came, now)
        if (rest_s := line.breaker.rest_s(now)) > before_s:
            self._limiter.rests(line.key, rest_s)

    def _find(self, name: str) -> Endpoint:
        endpoint = self._endpoints.find(name)
        if endpoint is None:
            known = ", ".join(self._endpoints.names()) or "none"
            raise ModelEndedError(
                "model_not_configured", f"No endpoint serves `{name}`; there are: {known}."
            )
        return endpoint

    def _line(self, endpoint: Endpoint) -> _Line:
        line = self._lines.get(endpoint.name)
        if line is None:
            line = _Line(
                endpoint,
                client_for(endpoint, self._settings),
                self._abilities.get(endpoint.name, UNKNOWN),
                RateLimits(
                    endpoint.requests_per_minute,
                    input_tokens_per_minute=endpoint.input_tokens_per_minute,
                    output_tokens_per_minute=endpoint.output_tokens_per_minute,
                ),
                asyncio.Semaphore(endpoint.max_in_flight),
            )
            self._lines[endpoint.name] = line
        return line


def _rung(line: _Line, asked: bytes) -> Rung | None:
    """Return how a schema is asked for; its text is its name, since objects come and go."""
    if not asked:
        return None
    known = line.rungs.get(asked)
    if known is None:
        if len(line.rungs) >= MOST_SCHEMAS:
            line.rungs.clear()
        known = line.rungs[asked] = choose_rung(line.abilities, orjson.loads(asked))
    return known


@lru_cache(maxsize=256)
def _format(rung: Rung, asked: bytes) -> dict[str, Any] | None:
    return response_format(rung, orjson.loads(asked))


def _with_schema(
    messages: Sequence[Mapping[str, Any]], rung: Rung | None, schema: dict[str, Any] | None
) -> list[Mapping[str, Any]]:
    said = schema_instructions(rung, schema) if rung and schema else ""
    if not said:
        return list(messages)
    first, *rest = messages
    told = f"{first['content']}\n\n## Form of the answer\n{said}"
    return [{**first, "content": told}, *rest]


def _ended(came: CallFailure, step: object, line: _Line) -> ModelEndedError:
    """Translate the policy's next step into the attributes of the contract."""
    told: dict[str, Any] = {"raw": came.raw, "failure": came, "burns": came.burns_attempt}
    match step:
        case TryLater(delay_s):
            told |= {"transient": True, "decided": True, "retry_after_s": delay_s}
        case PauseJob(reason):
            told |= {"transient": True, "decided": True, "retry_after_s": 0.0}
            told["pause"] = {"kind": reason, "detail": came.detail}
        case End() if came.kind == "permanent" and came.scope == "endpoint":
            # a wrong key or model name is nobody's unit: it waits for the breaker, then a person
            told |= {"transient": True, "decided": True, "burns": False}
            told["retry_after_s"] = NOT_OUR_UNIT_S
        case End(outcome):
            told["outcome"] = outcome
        case Repair() | MoreTokens() | Shrink():
            told["outcome"] = "invalid"
    return ModelEndedError(came.kind, came.detail, model=line.endpoint.model, **told)


def _resting(line: _Line, rest_s: float) -> ModelEndedError:
    return ModelEndedError(
        "overloaded", f"Endpoint {line.endpoint.name} is left alone for {rest_s:.1f} s.",
        transient=True, retry_after_s=rest_s, decided=True, burns=False,
        model=line.endpoint.model,
    )  # fmt: skip


def _decoded(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode(errors="replace")[:10_000]


def _stopped() -> ModelEndedError:
    return ModelEndedError(
        "stopped", "The worker stops or lost the shard.", transient=True, decided=True,
        burns=False, retry_after_s=0.0,
    )  # fmt: skip
