"""The client: one door per group of operations, and `request` for every operation there is."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx2

from apwa_client.address import address_of
from apwa_client.blocking.job import Job
from apwa_client.blocking.resources.accounts import ApiKeys, Projects, Usage
from apwa_client.blocking.resources.jobs import Jobs
from apwa_client.blocking.resources.records import Records
from apwa_client.blocking.resources.service import Service
from apwa_client.blocking.resources.tables import Tables
from apwa_client.blocking.resources.triggers import Triggers
from apwa_client.blocking.resources.webhooks import Deliveries, WebhookEndpoints
from apwa_client.blocking.resources.workflows import Workflows
from apwa_client.blocking.transport import Transport
from apwa_client.call import ANY_ANSWER, Answer, Call, call_of
from apwa_client.retries import Retries


class Client:
    """Speaks to one API with one key; safe to share between threads.

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
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        address = address_of(url, key)
        self._transport = Transport(address, retries or Retries(), timeout_s, transport)
        self.jobs = Jobs(self)
        self.tables = Tables(self)
        self.records = Records(self)
        self.workflows = Workflows(self)
        self.webhook_endpoints = WebhookEndpoints(self)
        self.deliveries = Deliveries(self)
        self.triggers = Triggers(self)
        self.api_keys = ApiKeys(self)
        self.projects = Projects(self)
        self.usage = Usage(self)
        self.service = Service(self)

    @property
    def url(self) -> str:
        """Where the API is."""
        return self._transport.address.url

    @property
    def retries(self) -> Retries:
        """The rule by which requests are sent again."""
        return self._transport.retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def run(
        self,
        goal: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        on_update: Callable[[Job], object] | None = None,
        **options: Any,
    ) -> Job:
        """Submit a job and return it once it is final, however it ended.

        `options` are those of `jobs.submit`. Raises WaitTimeout when the time is over; the job
        goes on then.
        """
        job = self.jobs.submit(goal, inputs, **options)
        return job.wait(timeout_s=timeout_s, on_update=on_update)

    def request(self, operation_id: str, **parameters: Any) -> Any:
        """Call any operation by its operationId; returns JSON as Python, other bodies as bytes.

        Names in the path and of the query are given as they are, names Python cannot write in
        `query`. Besides: `body`, `if_match`, `if_none_match`, `idempotency_key`, `accept`,
        `headers`.
        """
        return (self.answer(operation_id, **parameters)).value()

    def answer(
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
        return self.send(call)

    def send(self, call: Call) -> Answer:
        """Send a request that was made by hand; every other door leads through here."""
        return self._transport.send(call)

    @contextmanager
    def stream(
        self,
        operation_id: str,
        *,
        query: Mapping[str, Any] | None = None,
        accept: str = ANY_ANSWER,
        headers: Mapping[str, str] | None = None,
        read_timeout_s: float | None = None,
        **parameters: Any,
    ) -> Iterator[httpx2.Response]:
        """Yield the answer of an operation with its body still to be read."""
        call = call_of(
            operation_id,
            {**parameters, **(query or {})},
            accept=accept,
            headers=headers,
            read_timeout_s=read_timeout_s,
        )
        with self.open(call) as response:
            yield response

    @contextmanager
    def open(self, call: Call) -> Iterator[httpx2.Response]:
        """Yield the answer to a request that was made by hand, its body still to be read."""
        with self._transport.open(call) as response:
            yield response

    def pages(self, operation_id: str, **parameters: Any) -> Iterator[Any]:
        """Yield every item of a list, page by page; `limit` is the size of a page."""
        while True:
            page = self.request(operation_id, **parameters)
            yield from page["items"]
            if page.get("next_cursor") is None:
                return
            parameters = {**parameters, "cursor": page["next_cursor"]}
