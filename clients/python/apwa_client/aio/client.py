"""The client: one door per group of operations, and `request` for every operation there is."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx2

from apwa_client.address import address_of
from apwa_client.aio.job import AsyncJob
from apwa_client.aio.resources.accounts import AsyncApiKeys, AsyncProjects, AsyncUsage
from apwa_client.aio.resources.jobs import AsyncJobs
from apwa_client.aio.resources.records import AsyncRecords
from apwa_client.aio.resources.service import AsyncService
from apwa_client.aio.resources.tables import AsyncTables
from apwa_client.aio.resources.triggers import AsyncTriggers
from apwa_client.aio.resources.webhooks import AsyncDeliveries, AsyncWebhookEndpoints
from apwa_client.aio.resources.workflows import AsyncWorkflows
from apwa_client.aio.transport import AsyncTransport
from apwa_client.call import ANY_ANSWER, Answer, Call, call_of
from apwa_client.retries import Retries


class AsyncClient:
    """Speaks to one API with one key; safe to share between tasks.

    Without `url` and `key` those of APWA_API_URL and APWA_API_KEY are taken. Use it in a `with`
    block, or close it, so that its connections end.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        retries: Retries | None = None,
        timeout_s: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        address = address_of(url, key)
        self._transport = AsyncTransport(address, retries or Retries(), timeout_s, transport)
        self.jobs = AsyncJobs(self)
        self.tables = AsyncTables(self)
        self.records = AsyncRecords(self)
        self.workflows = AsyncWorkflows(self)
        self.webhook_endpoints = AsyncWebhookEndpoints(self)
        self.deliveries = AsyncDeliveries(self)
        self.triggers = AsyncTriggers(self)
        self.api_keys = AsyncApiKeys(self)
        self.projects = AsyncProjects(self)
        self.usage = AsyncUsage(self)
        self.service = AsyncService(self)

    @property
    def url(self) -> str:
        """Where the API is."""
        return self._transport.address.url

    @property
    def retries(self) -> Retries:
        """The rule by which requests are sent again."""
        return self._transport.retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def run(
        self,
        goal: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        on_update: Callable[[AsyncJob], object] | None = None,
        **options: Any,
    ) -> AsyncJob:
        """Submit a job and return it once it is final, however it ended.

        `options` are those of `jobs.submit`. Raises WaitTimeout when the time is over; the job
        goes on then.
        """
        job = await self.jobs.submit(goal, inputs, **options)
        return await job.wait(timeout_s=timeout_s, on_update=on_update)

    async def request(self, operation_id: str, **parameters: Any) -> Any:
        """Call any operation by its operationId; returns JSON as Python, other bodies as bytes.

        Names in the path and of the query are given as they are, names Python cannot write in
        `query`. Besides: `body`, `if_match`, `if_none_match`, `idempotency_key`, `accept`,
        `headers`.
        """
        return (await self.answer(operation_id, **parameters)).value()

    async def answer(
        self,
        operation_id: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        idempotency_key: str | None = None,
        accept: str = ANY_ANSWER,
        headers: Mapping[str, str] | None = None,
        read_timeout_s: float | None = None,
        **parameters: Any,
    ) -> Answer:
        """Call any operation and return its whole answer, with status and headers."""
        call = call_of(
            operation_id,
            {**parameters, **(query or {})},
            body=body,
            if_match=if_match,
            if_none_match=if_none_match,
            idempotency_key=idempotency_key,
            accept=accept,
            headers=headers,
            read_timeout_s=read_timeout_s,
        )
        return await self.send(call)

    async def send(self, call: Call) -> Answer:
        """Send a request that was made by hand; every other door leads through here."""
        return await self._transport.send(call)

    @asynccontextmanager
    async def stream(
        self,
        operation_id: str,
        *,
        query: Mapping[str, Any] | None = None,
        accept: str = ANY_ANSWER,
        headers: Mapping[str, str] | None = None,
        read_timeout_s: float | None = None,
        **parameters: Any,
    ) -> AsyncIterator[httpx2.Response]:
        """Yield the answer of an operation with its body still to be read."""
        call = call_of(
            operation_id,
            {**parameters, **(query or {})},
            accept=accept,
            headers=headers,
            read_timeout_s=read_timeout_s,
        )
        async with self.open(call) as response:
            yield response

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[httpx2.Response]:
        """Yield the answer to a request that was made by hand, its body still to be read."""
        async with self._transport.open(call) as response:
            yield response

    async def pages(self, operation_id: str, **parameters: Any) -> AsyncIterator[Any]:
        """Yield every item of a list, page by page; `limit` is the size of a page."""
        while True:
            page = await self.request(operation_id, **parameters)
            for item in page["items"]:
                yield item
            if page.get("next_cursor") is None:
                return
            parameters = {**parameters, "cursor": page["next_cursor"]}
