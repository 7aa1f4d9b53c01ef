"""How a server is reached: a child process or streamable HTTP; tells when its end is reached."""

import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from shared.capabilities.mcp_servers import McpServer

CONNECT_S = 10.0
ANSWER_BYTES = 10_000_000  # of one HTTP answer


@asynccontextmanager
async def transport(server: McpServer, ended: Callable[[], None]) -> AsyncIterator[tuple[Any, Any]]:
    """Yield the streams of a new connection; `ended` is called when the server's has ended.

    Addresses are the operator's own and thus trusted: they may be private. Nothing of this
    process's environment reaches a child but HOME, PATH and the like.
    """
    opened = _http(server) if server.url else _stdio(server)
    async with opened as (read, write):
        yield _Watched(read, ended), write


@asynccontextmanager
async def _stdio(server: McpServer) -> AsyncIterator[tuple[Any, Any]]:
    params = StdioServerParameters(
        command=server.command, args=list(server.args), env=dict(server.env), cwd=server.cwd
    )
    # what a stranger's program writes there may hold rows; it has no place in our log
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        async with stdio_client(params, errlog=nowhere) as streams:
            yield streams


@asynccontextmanager
async def _http(server: McpServer) -> AsyncIterator[tuple[Any, Any]]:
    client = httpx2.AsyncClient(
        headers={"User-Agent": "apwa", "Accept-Encoding": "identity", **server.headers},
        timeout=httpx2.Timeout(None, connect=CONNECT_S),  # calls have their own deadline
        verify=ssl.create_default_context(),
        trust_env=False,
        follow_redirects=False,
        event_hooks={"response": [_cap]},
    )
    async with client, streamable_http_client(server.url, http_client=client) as streams:
        yield streams


async def _cap(response: httpx2.Response) -> None:
    """Called with the headers: refuse what says it is large or packed, count the rest."""
    declared = response.headers.get("content-length", "")
    packed = response.headers.get("content-encoding", "identity") != "identity"
    if packed or (declared.isdecimal() and int(declared) > ANSWER_BYTES):
        raise httpx2.ReadError("the answer is too large, or packed", request=response.request)
    stream = response.headers.get("content-type", "").startswith("text/event-stream")
    if not stream and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Capped(response.stream)  # events are bounded one by one


class _Capped(httpx2.AsyncByteStream):
    """A body that may not be longer than ANSWER_BYTES."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for piece in self._stream:
            read += len(piece)
            if read > ANSWER_BYTES:
                raise httpx2.ReadError("the answer is too large")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Watched:
    """A stream of messages that says when it has ended; otherwise the stream it is given."""

    def __init__(self, stream: Any, ended: Callable[[], None]) -> None:
        self._stream, self._ended = stream, ended

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> "_Watched":
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        self._ended()
        return await self._stream.__aexit__(*error)

    def __aiter__(self) -> "_Watched":
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._ended()
            raise
