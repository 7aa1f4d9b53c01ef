"""One HTTP request to a stranger's server: guarded at every hop, bounded in size and time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from shared.net.aiohttp_send import send_with_aiohttp
from shared.net.guard import Checked, Guard
from shared.net.refused import WebError
from shared.net.web_address import WebAddress, follow, read_address
from shared.net.web_request import WebAnswer, WebRequest

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


Send = Callable[[WebRequest, Checked, Guard], Awaitable[WebAnswer]]


async def exchange(request: WebRequest, guard: Guard, send: Send = send_with_aiohttp) -> WebAnswer:
    """Return the answer, whatever its status; raise WebError for everything else.

    `send` carries one request to addresses already checked and follows no redirect.
    """
    address = read_address(request.url)
    limit = asyncio.timeout(request.wall_s)
    try:
        async with limit:
            return await _hops(request, address, guard, send)
    except TimeoutError:
        if not limit.expired():
            raise
        detail = f"No complete answer within {request.wall_s:g} s."
        raise WebError("timeout", detail, transient=True) from None


async def _hops(request: WebRequest, address: WebAddress, guard: Guard, send: Send) -> WebAnswer:
    for _ in range(request.redirects + 1):
        answer = await send(request, await guard.check(address), guard)
        location = answer.headers.get("location")
        if answer.status not in _REDIRECTS or location is None or request.redirects == 0:
            return answer
        address = follow(address, location)
        request = replace(request, headers=_harmless(request.headers))
    raise WebError("too_many_redirects", f"More than {request.redirects} redirects.")


def _harmless(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what may go to another place than it was meant for: no credentials, no cookies."""
    return {name: value for name, value in headers.items() if name.lower() == "accept"}
