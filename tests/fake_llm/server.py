"""Wires the fake endpoint: chat completions, the control endpoint, the journal."""

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Awaitable
from dataclasses import asdict
from statistics import NormalDist
from typing import Any

from tests.fake_llm.answers import completion
from tests.fake_llm.faults import OF_SEVERAL_WRITES, FaultChoice, error, fault_response, misbehave
from tests.fake_llm.http_server import Connection, Request, Response
from tests.fake_llm.journal import Journal
from tests.fake_llm.limits import Limits
from tests.fake_llm.planner import is_planning, parse_prompt
from tests.fake_llm.prompt import Prompt, image_hash
from tests.fake_llm.settings import Behaviour


class FakeEndpoint:
    """Answers ``POST .../chat/completions``, ``GET|PUT /control`` and ``GET /stats``."""

    def __init__(self, behaviour: Behaviour, journal: Journal) -> None:
        self._behaviour = behaviour
        self._journal = journal
        self._faults = FaultChoice()
        self._limits = Limits()
        self._no = 0
        self._in_flight = 0
        self._most_in_flight = 0

    def handle(self, request: Request, connection: Connection) -> Awaitable[None] | None:
        """Answer at once, or return what has to be awaited."""
        path = request.path.partition("?")[0]
        if path.endswith("/chat/completions") and request.method == "POST":
            return self._chat(request, connection)
        if path == "/control":
            connection.answer(self._control(request))
        elif path == "/stats":
            stats = {
                "calls": self._no,
                "in_flight": self._in_flight,
                "most_in_flight": self._most_in_flight,
            }
            connection.answer(Response(200, json.dumps(stats).encode()))
        else:
            connection.answer(error(404, f"no {request.method} {path}", "not_found", "invalid"))
        return None

    def _control(self, request: Request) -> Response:
        if request.method == "PUT":
            try:
                changes = json.loads(request.body)
                self._behaviour.change(changes)
                if changes.keys() & {"requests_per_minute", "tokens_per_minute"}:
                    self._limits = Limits()  # buckets begin full
            except (KeyError, TypeError, ValueError) as problem:
                return error(422, f"unknown switch: {problem}", "invalid", "invalid")
        return Response(200, json.dumps(asdict(self._behaviour)).encode())

    def _chat(self, request: Request, connection: Connection) -> Awaitable[None] | None:
        self._no += 1
        call = _RunningCall(self._no)
        try:
            prompt = Prompt(json.loads(request.body))
            call.read(prompt)
            call.request = prompt.body if self._behaviour.keep_requests else None
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            refusal = error(400, f"no chat body: {problem!r}", "invalid_body", "invalid_request")
            return self._end(call, connection, refusal)
        refusal = self._refusal(prompt, call)
        fault = None
        if refusal is None:
            planning = is_planning(prompt.text)
            fault = self._faults.choose(prompt, self._behaviour, planning=planning)
        call.fault = fault
        waiting_s = self._latency_s(prompt)
        if waiting_s == 0 and fault not in OF_SEVERAL_WRITES:
            return self._answer(call, prompt, connection, refusal)
        return self._later(call, prompt, connection, refusal, waiting_s)

    async def _later(
        self, call: "_RunningCall", prompt: Prompt, connection: Connection,
        refusal: Response | None, waiting_s: float,
    ) -> None:  # fmt: skip
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            await asyncio.sleep(waiting_s)
            if call.fault in OF_SEVERAL_WRITES:
                body = json.dumps(completion(prompt, self._behaviour, None, call.no)).encode()
                call.answered = await misbehave(call.fault, self._behaviour, body, connection)
                self._write(call, None)
            else:
                self._answer(call, prompt, connection, refusal)
        except asyncio.CancelledError:
            self._write(call, None)
            raise
        finally:
            self._in_flight -= 1

    def _answer(
        self, call: "_RunningCall", prompt: Prompt, connection: Connection,
        refusal: Response | None,
    ) -> None:  # fmt: skip
        if refusal is not None:
            return self._end(call, connection, refusal)
        answer = completion(prompt, self._behaviour, call.fault, call.no)
        body = json.dumps(answer).encode()
        response = None
        if call.fault is not None:
            response = fault_response(call.fault, self._behaviour, body)
        if response is None or call.fault == "gzip":
            usage = answer.get("usage") or {}
            call.tokens_out = usage.get("completion_tokens", 0)
            call.usage_told = bool(usage)
        response = response or Response(200, body)
        response.headers = {**call.headers, **(response.headers or {})}
        return self._end(call, connection, response)

    def _end(self, call: "_RunningCall", connection: Connection, response: Response) -> None:
        call.answered = connection.answer(response)
        self._write(call, response.status)

    def _write(self, call: "_RunningCall", status: int | None) -> None:
        self._journal.write(call.line(status))

    def _refusal(self, prompt: Prompt, call: "_RunningCall") -> Response | None:
        """Return the answer to a call this endpoint would not take."""
        behaviour = self._behaviour
        if behaviour.down:
            return error(503, "The endpoint is down.", None, "server_error")
        if refused := _unsupported(prompt, behaviour):
            return refused
        if behaviour.context_tokens is not None and prompt.tokens > behaviour.context_tokens:
            sentence = (
                f"This model's maximum context length is {behaviour.context_tokens} tokens. "
                f"However, your messages resulted in {prompt.tokens} tokens."
            )
            return error(400, sentence, "context_length_exceeded", "invalid_request")
        if behaviour.requests_per_minute is None and behaviour.tokens_per_minute is None:
            return None
        wait_s, call.headers = self._limits.take(behaviour, prompt.tokens)
        if wait_s > 0:
            told = {**call.headers, "retry-after": f"{wait_s:.3f}"}
            call.fault = "limited"
            return error(429, "Rate limit reached.", "rate_limit_exceeded", "requests", **told)
        return None

    def _latency_s(self, prompt: Prompt) -> float:
        told = self._behaviour.latency_ms
        if not told:
            return 0.0
        if "fixed" in told:
            return float(told["fixed"]) / 1000
        share = _share(prompt.digest + self._no.to_bytes(8, "big"))
        if "uniform" in told:
            low, high = told["uniform"]
            return float(low + (high - low) * share) / 1000
        spread = NormalDist(0, float(told.get("sigma", 0.5))).inv_cdf(min(max(share, 1e-6), 0.999))
        return float(told["median"]) * math.exp(spread) / 1000


class _RunningCall:
    """What is known of a call before it ended."""

    def __init__(self, no: int) -> None:
        self.no = no
        self.at = time.time()
        self.fault: str | None = None
        self.answered = False
        self.usage_told = False
        self.tokens_out = 0
        self.headers: dict[str, str] = {}
        self.request: dict[str, Any] | None = None
        self._read: dict[str, Any] = {
            "model": "", "kind": "chat", "markers": [], "own_markers": [], "images": [],
            "tokens_in": 0,
            "findings": [],
        }  # fmt: skip

    def read(self, prompt: Prompt) -> None:
        planning = is_planning(prompt.text)
        self._read = {
            "model": str(prompt.body["model"]),
            "kind": "plan" if planning else "tool" if prompt.body.get("tools") else "chat",
            "markers": prompt.markers,
            "own_markers": prompt.own_markers,
            "images": [image_hash(address) for address in prompt.images],
            "tokens_in": prompt.tokens,
            "findings": sorted(parse_prompt(prompt.sections).findings) if planning else [],
        }

    def line(self, status: int | None) -> dict[str, Any]:
        return {
            "no": self.no,
            "at": self.at,
            "ended_at": time.time(),
            **self._read,
            "tokens_out": self.tokens_out,
            "status": status,
            "fault": self.fault,
            "answered": self.answered,
            "usage_told": self.usage_told,
            **({} if self.request is None else {"request": self.request}),
        }


def _unsupported(prompt: Prompt, behaviour: Behaviour) -> Response | None:
    able = behaviour.abilities
    asked = (prompt.body.get("response_format") or {}).get("type")
    if asked == "json_schema" and not able.json_schema:
        return _bad_request("'response_format' of type 'json_schema' is not supported.")
    if asked == "json_object" and not able.json_object:
        return _bad_request("'response_format' of type 'json_object' is not supported.")
    if prompt.body.get("tools") and not able.tools:
        return _bad_request("'tools' is not supported by this model.")
    if prompt.has_image and not able.images:
        return _bad_request("image_url content is not supported by this model.")
    if "temperature" in prompt.body and not able.temperature:
        return _bad_request("Unsupported value: 'temperature'.")
    if "max_tokens" in prompt.body and not able.max_tokens:
        return _bad_request("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.")
    return None


def _bad_request(sentence: str) -> Response:
    return error(400, sentence, "unsupported_value", "invalid_request_error")


def _share(value: bytes) -> float:
    return int.from_bytes(hashlib.sha256(value).digest()[:6], "big") / 2**48
