"""One server, kept connected: opened again when it dies, slower each time it does not come up."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from mcp import Client, MCPError
from mcp.types import CONNECTION_CLOSED, INVALID_REQUEST, CallToolResult

from services.worker.mcp.offered import Listing, OfferedTool, listing
from services.worker.mcp.transport import transport
from shared.capabilities.mcp_servers import McpServer
from shared.log import get_logger

OPEN_S = 30.0  # for connecting, shaking hands and listing the tools
WAIT_S = 15.0  # of those who need the server while it is opened
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
STEADY_S = 10.0  # a server that lives shorter counts as one that did not come up
MOST_TIMEOUTS = 3  # in a row; then a server that is there but deaf is opened anew
SESSION_ENDED = "Session terminated"  # how the package tells that an HTTP server restarted
SOON_AGAIN = 3  # failures in a row; after more the pauses are too long to wait for
_PAGES = 50


class ServerDown(Exception):
    """The server does not answer; it is being opened again."""


class McpConnection:
    """Lives on one event loop; `listed` is told what the server offers, each time it comes up."""

    def __init__(
        self, server: McpServer, listed: Callable[[McpServer, Listing], Awaitable[None]]
    ) -> None:
        self.server = server
        self._tell_listed = listed
        self._client: Client | None = None
        self._listing: Listing | None = None
        self._up, self._lost = asyncio.Event(), asyncio.Event()
        self._turns = asyncio.Semaphore(server.max_calls)
        self._failures = self._timeouts = 0
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def tools(self) -> Mapping[str, OfferedTool] | None:
        """Return what the server offered last; None when it never came up so far."""
        if self._listing is None:
            await self._wait_for_up()
        return None if self._listing is None else self._listing.tools

    async def call(
        self, tool: str, arguments: Mapping[str, Any], meta: Mapping[str, Any]
    ) -> CallToolResult:
        """Return what the tool answers.

        Raises TimeoutError after the server's `timeout_s`, ServerDown when there is no connection
        or it breaks, and MCPError for what the server refuses.
        """
        async with self._turns:
            await self._wait_for_up()
            client, lost = self._client, self._lost
            if client is None:
                raise ServerDown(f"the server {self.server.name} does not answer")
            try:
                async with asyncio.timeout(self.server.timeout_s):
                    answer = await client.call_tool(tool, dict(arguments), meta=dict(meta))  # type: ignore[arg-type]
            except TimeoutError:
                self._note_timeout(lost)
                raise
            except MCPError as error:
                self._timeouts = 0
                if _is_lost(error):
                    self._lose(lost)
                    raise ServerDown(f"the server {self.server.name} went away") from error
                raise
            self._timeouts = 0
            return answer

    async def close(self) -> None:
        """End the connection, and the child process behind it."""
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper

    async def _wait_for_up(self) -> None:
        """Wait while the server is opened for the first time, or soon after it died."""
        if self._up.is_set() or self._failures > SOON_AGAIN:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._up.wait(), WAIT_S)

    def _note_timeout(self, lost: asyncio.Event) -> None:
        self._timeouts += 1
        if self._timeouts >= MOST_TIMEOUTS:
            self._timeouts = 0
            self._lose(lost)

    def _lose(self, lost: asyncio.Event) -> None:
        """Give a connection up, known by its event; from now on nobody calls through it."""
        lost.set()
        if lost is self._lost:  # not one that was opened since
            self._client = None
            self._up.clear()

    async def _keep(self) -> None:
        while True:
            try:
                await self._connected()
            except Exception as error:  # noqa: BLE001 - whatever a stranger's server does: try again
                self._tell("mcp_server_failed", error=_kind(error))
            finally:
                self._lose(self._lost)
            self._failures += 1
            await asyncio.sleep(_pause_s(self._failures))

    async def _connected(self) -> None:
        """Open the server, tell what it offers, and return when it is lost."""
        self._lost = lost = asyncio.Event()
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(OPEN_S):
                client = await stack.enter_async_context(
                    Client(transport(self.server, partial(self._lose, lost)), cache=None)
                )
                self._listing = await self._list(client)
            await self._tell_listed(self.server, self._listing)
            self._client, since = client, time.monotonic()
            self._up.set()
            get_logger().info(
                "mcp_server_up", server=self.server.name, tools=len(self._listing.tools)
            )
            await lost.wait()
            if time.monotonic() - since > STEADY_S:
                self._failures = 0
            self._tell("mcp_server_lost")

    async def _list(self, client: Client) -> Listing:
        listed: list[tuple[str, str, Any]] = []
        cursor = None
        for _ in range(_PAGES):
            page = await client.list_tools(cursor=cursor)
            listed += [(one.name, one.description or "", one.input_schema) for one in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        found = listing(self.server, listed)
        for problem in found.problems:
            self._tell("mcp_tool_left_out", problem=problem)
        return found

    def _tell(self, event: str, **facts: Any) -> None:
        get_logger().warning(event, server=self.server.name, **facts)


def _is_lost(error: MCPError) -> bool:
    return error.code == CONNECTION_CLOSED or (
        error.code == INVALID_REQUEST and SESSION_ENDED in str(error)
    )


def _pause_s(failures: int) -> float:
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
    return float(longest * random.uniform(0.5, 1.0))  # noqa: S311 - apart from other workers


def _kind(error: BaseException) -> str:
    """Return the kinds of an error, without its text, which may hold an address's secret."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(dict.fromkeys(_kind(one) for one in error.exceptions))
    return type(error).__name__
