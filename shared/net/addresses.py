"""Which IP addresses may be connected to on a stranger's word: the public ones, and no others.

Not built on `ipaddress.is_global`, which calls some multicast and some wrapped loopback
addresses global. Everything is refused that a list of the registries does not make public.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this host; connecting to it reaches loopback
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' own, and some clouds' metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # looks public, and is a cloud's own service on every machine of it
        "169.254.0.0/16",  # link-local, metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")  # all that was ever given out
_NOT_PUBLIC_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocols' own: Teredo, benchmarking, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries an IPv4 address, and is no more in use
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # how a host without IPv4 reaches IPv4


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list such as ``127.0.0.0/8, fd00::/8``; raise ValueError."""
    parts = (part.strip() for part in text.split(","))
    return tuple(ip_network(part) for part in parts if part)


def address_problem(address: str, allowed: tuple[Network, ...] = ()) -> str | None:
    """Return why an address may not be connected to; None when it may.

    An address inside another (IPv4-mapped, NAT64) is judged by what is inside. `allowed` networks
    may be reached though they are not public.
    """
    try:
        found = _unwrapped(ip_address(address))
    except ValueError:
        return f"{address[:60]} is not an address"
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        return f"{address[:60]} is of one link only"
    if any(found in network for network in allowed) or _is_public(found):
        return None
    return f"{address[:60]} is not a public address"


def _unwrapped(address: Address) -> Address:
    if not isinstance(address, IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)
