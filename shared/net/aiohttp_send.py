"""Sends one request with aiohttp to addresses that were checked, and to nothing else."""

import asyncio
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from shared.net.bounded_body import BoundedBody
from shared.net.guard import Checked, Guard
from shared.net.refused import WebError
from shared.net.web_request import BODY_S, WebAnswer, WebRequest

CONNECT_S = 10.0
PIECE_BYTES = 65_536
_OWN = {"Accept-Encoding": "gzip, deflate", "User-Agent": "apwa"}


async def send_with_aiohttp(request: WebRequest, to: Checked, guard: Guard) -> WebAnswer:
    """Return the answer of one hop. The name goes into Host and TLS, the socket to the IP."""
    connector = aiohttp.TCPConnector(
        resolver=_Pinned(to),
        use_dns_cache=False,
        force_close=True,
        socket_factory=lambda info: _checked_socket(info, to, guard),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # a proxy would look the name up again
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
    ) as session:
        try:
            return await _exchange(session, request, to)
        except aiohttp.ClientPayloadError as error:
            raise _broken(error, transient=True) from error
        except aiohttp.ClientSSLError as error:
            raise WebError("unreachable", f"TLS failed: {type(error).__name__}.") from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            detail = f"{to.address.host} cannot be reached: {type(error).__name__}."
            raise WebError("unreachable", detail, transient=True) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise _broken(error) from error


async def _exchange(session: aiohttp.ClientSession, request: WebRequest, to: Checked) -> WebAnswer:
    async with session.request(
        request.method,
        URL(to.address.url, encoded=True),
        headers={**_OWN, **request.headers},
        data=request.body,
        allow_redirects=False,
    ) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        if request.cut:
            beginning = await _beginning(response, request.most_bytes)
            kept = beginning[: request.most_bytes]
            return WebAnswer(to.address.url, response.status, headers, kept, beginning != kept)
        if request.into is not None and response.status != HTTPStatus.OK:
            return WebAnswer(to.address.url, response.status, headers, b"")
        body = BoundedBody(
            headers.get("content-encoding", ""),
            headers.get("content-length", ""),
            request.most_bytes,
            request.into,
        )
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            body.feed(piece)
        return WebAnswer(to.address.url, response.status, headers, body.whole())


async def _beginning(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Return what comes of a body within `BODY_S`; reads on only up to one piece past the most."""
    came = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(BODY_S):
            async for piece in response.content.iter_any():
                came += piece
                if len(came) > most_bytes:
                    break
    return bytes(came)


class _Pinned(AbstractResolver):
    """Answers for the one host with the addresses that were checked; asks nobody."""

    def __init__(self, to: Checked) -> None:
        self._to = to

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        if host.rstrip(".").lower() != self._to.address.host.rstrip("."):
            raise OSError(f"only {self._to.address.host} was checked")
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=socket.AF_INET6 if ":" in ip else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for ip in self._to.ips
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _checked_socket(info: tuple[Any, ...], to: Checked, guard: Guard) -> socket.socket:
    """Look again where the socket is made, so that no road around the resolver exists."""
    family, kind, protocol, _, sockaddr = info
    ip = str(sockaddr[0])
    guard.check_ip(ip, to.address.host)
    if ip not in to.ips:
        raise WebError("address_not_allowed", f"{ip} is not what {to.address.host} was checked as.")
    return socket.socket(family, kind, protocol)


def _broken(error: Exception, *, transient: bool = False) -> WebError:
    detail = f"The answer is not valid HTTP: {type(error).__name__}."
    return WebError("bad_response", detail, transient=transient)
