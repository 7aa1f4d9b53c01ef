"""Looks a host up once and lets through only what may be connected to, address by address."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.net.addresses import Network, address_problem
from shared.net.refused import WebError, not_allowed
from shared.net.web_address import WebAddress

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]  # host and port to IP addresses
MOST_ADDRESSES = 64


@dataclass(frozen=True, slots=True)
class Checked:
    """A web address and the only IP addresses it may be reached at; all of them were checked."""

    address: WebAddress
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides where a connection may go. `allowed` networks are reached though not public."""

    allowed: tuple[Network, ...] = ()
    resolve: Resolve | None = None  # None: the system's resolver

    async def check(self, address: WebAddress) -> Checked:
        """Return the address with its IPs; raise WebError when even one of them is not allowed.

        A name that leads to a public and to another address is how a second look-up is prepared
        to differ from the first, so it is refused as a whole.
        """
        if address.literal:
            ips: Sequence[str] = (address.host,)
        else:
            ips = await (self.resolve or _look_up)(address.host, address.port)
        if not ips or len(ips) > MOST_ADDRESSES:
            raise WebError("unreachable", f"{address.host} has no usable address.", transient=True)
        for ip in ips:
            self.check_ip(ip, address.host)
        return Checked(address, tuple(dict.fromkeys(ips)))

    def check_ip(self, ip: str, host: str) -> None:
        """Raise WebError unless this IP may be connected to."""
        problem = address_problem(ip, self.allowed)
        if problem is not None:
            raise not_allowed(f"{host} is refused: {problem}.")


async def _look_up(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebError("unreachable", f"{host} cannot be looked up.", transient=True) from error
    return [str(sockaddr[0]) for *_, sockaddr in found]
