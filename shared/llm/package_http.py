"""Posts through the openai package with its aiohttp backend; the only import of `openai`."""

import logging
import ssl
from collections.abc import AsyncIterator

import aiohttp
import httpx2
import openai

from shared.domain.model_call import CallFailure
from shared.llm.endpoints import Endpoint
from shared.llm.http_answer import (
    BodyReader,
    Ended,
    HttpAnswer,
    refuse_redirect,
    unreachable,
    unreadable,
)

CONNECT_S = 10.0
IDLE_S = 15.0  # servers drop idle connections after 20-60 s; be first
NO_KEY = "unset"  # the package insists on a key


class PackageHttp:
    """One AsyncOpenAI client, used on its lean path: bytes in, the raw answer out."""

    def __init__(self, endpoint: Endpoint, answer_max_bytes: int) -> None:
        self._answer_max_bytes = answer_max_bytes
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it tells every request at info
        self._client = _OwnHeaders(
            api_key=endpoint.api_key or NO_KEY,
            base_url=endpoint.base_url,
            max_retries=0,  # retry_policy decides
            timeout=httpx2.Timeout(None, connect=CONNECT_S),  # the deadline is ModelClient's
            http_client=openai.DefaultAioHttpClient(
                verify=ssl.create_default_context(),
                limits=httpx2.Limits(
                    max_connections=endpoint.max_in_flight,  # None would mean 100
                    max_keepalive_connections=endpoint.max_in_flight,
                    keepalive_expiry=IDLE_S,
                ),
                trust_env=False,
                follow_redirects=False,
                event_hooks={"response": [self._guard]},
            ),
        )

    async def post(self, body: bytes) -> HttpAnswer | CallFailure:
        """Send to ``/chat/completions``; any status is an answer. Has no deadline of its own."""
        try:
            response = await self._client.post(
                "/chat/completions", content=body, cast_to=httpx2.Response
            )
        except openai.APIStatusError as error:
            response = error.response
        except Ended as end:
            return end.failure
        except openai.APIConnectionError as error:  # timeouts too: only connecting has one
            return _connection_failure(error)
        except aiohttp.ClientError as error:  # those the package's backend does not translate
            return unreadable(error)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return unreachable(error)
        return HttpAnswer(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _guard(self, response: httpx2.Response) -> None:
        """Called with the headers, before the body is read: cap it."""
        refuse_redirect(response.status_code)
        reader = BodyReader(response.status_code, response.headers, self._answer_max_bytes)
        if not isinstance(response.stream, httpx2.AsyncByteStream):
            raise TypeError("the aiohttp backend gives asynchronous streams")
        response.stream = _Capped(response.stream, reader)
        response.headers.pop("content-encoding", None)  # the reader unpacks, nobody else


class _OwnHeaders(openai.AsyncOpenAI):
    """Sends what is needed: nothing about this machine, nothing from `OPENAI_CUSTOM_HEADERS`."""

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        return dict(_HEADERS)


_HEADERS: dict[str, str] = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
    "User-Agent": "apwa",
}


class _Capped(httpx2.AsyncByteStream):
    """A response stream that passes through a BodyReader."""

    def __init__(self, stream: httpx2.AsyncByteStream, reader: BodyReader) -> None:
        self._stream = stream
        self._reader = reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield self._reader.feed(piece)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _connection_failure(error: openai.APIConnectionError) -> CallFailure:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (aiohttp.ClientPayloadError, aiohttp.ClientResponseError)):
            return unreadable(cause)
        if cause.__cause__ is None:
            return unreachable(cause if isinstance(cause, Exception) else error)
        cause = cause.__cause__
    return unreachable(error)
