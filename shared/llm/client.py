"""Calls one model endpoint: a JSON body in, a Reply or a CallFailure out, within a deadline."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import orjson

from shared.domain.model_call import CallFailure, Reply
from shared.llm.answers import read_answer
from shared.llm.endpoints import Endpoint
from shared.llm.http_answer import HttpAnswer, Transport
from shared.settings import Settings

ANSWER_MAX_BYTES = 10_000_000


class ModelClient:
    """One endpoint's connections; make it once per process and use it on one event loop.

    Never retries: `retry_policy` says what follows a failure. `via` is the setting
    `model_client`: ``package`` (openai) or ``plain`` (aiohttp alone, at less CPU).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        via: Literal["package", "plain"] = "package",
        answer_max_bytes: int = ANSWER_MAX_BYTES,
    ) -> None:
        self.endpoint = endpoint
        self._transport = _transport(endpoint, via, answer_max_bytes)

    async def call(self, body: Mapping[str, Any], *, deadline_s: float) -> Reply | CallFailure:
        """Send a chat body (`request.chat_body`) and read its answer."""
        request = orjson.dumps(body)
        started = time.monotonic()
        answer = await self._post(request, deadline_s)
        came = answer if isinstance(answer, CallFailure) else read_answer(answer, request)
        return self._timed(came, started)

    async def send(self, body: Mapping[str, Any], *, deadline_s: float) -> HttpAnswer | CallFailure:
        """Send a ready chat body as it is and return the answer unread, whatever its status."""
        return await self._post(orjson.dumps(body), deadline_s)

    async def close(self) -> None:
        """Close the connections; on the event loop that used them."""
        await self._transport.close()

    def _timed(self, came: Reply | CallFailure, started: float) -> Reply | CallFailure:
        latency_ms = int((time.monotonic() - started) * 1000)
        if isinstance(came, Reply):
            return replace(came, latency_ms=latency_ms)
        key = self.endpoint.api_key
        detail = came.detail.replace(key, "***") if key else came.detail  # some servers repeat it
        return replace(came, detail=detail, latency_ms=latency_ms)

    async def _post(self, request: bytes, deadline_s: float) -> HttpAnswer | CallFailure:
        # outside the HTTP client: its own limits start again with every byte that arrives
        limit = asyncio.timeout(deadline_s)
        try:
            async with limit:
                return await self._transport.post(request)
        except TimeoutError:
            if not limit.expired():
                raise
            return CallFailure("deadline", f"No complete answer within {deadline_s:g} s.")


def client_for(endpoint: Endpoint, settings: Settings) -> ModelClient:
    """Return a client of the endpoint as the settings want it."""
    return ModelClient(
        endpoint,
        via="plain" if settings.model_client == "plain" else "package",
        answer_max_bytes=settings.model_answer_max_bytes,
    )


def _transport(endpoint: Endpoint, via: str, answer_max_bytes: int) -> Transport:
    # imported here: the package takes a second to import, and not every process calls a model
    if via == "plain":
        from shared.llm.plain_http import PlainHttp

        return PlainHttp(endpoint, answer_max_bytes)
    from shared.llm.package_http import PackageHttp

    return PackageHttp(endpoint, answer_max_bytes)
