"""Whether a model endpoint stands on this machine or a private network: pure, no look-up."""

import ipaddress
from urllib.parse import urlsplit

_PRIVATE_ENDINGS = (".local", ".internal", ".lan", ".localhost", ".home.arpa", ".cluster.local")


def is_own_address(base_url: str) -> bool:
    """Return True for loopback and private addresses and for names only a local network knows."""
    host = (urlsplit(base_url).hostname or "").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(_PRIVATE_ENDINGS))
    return address.is_loopback or address.is_private or address.is_link_local


def address_problem(base_url: str) -> str | None:
    """Return why a text is not the base address of an endpoint; None when it is one."""
    try:
        parts = urlsplit(base_url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("http", "https") or not host:
        return "must be an address that begins with http:// or https://"
    if parts.username is not None or parts.password is not None:
        return "must not carry a user or password; give api_key"
    if parts.query or parts.fragment:
        return "must not carry a query or fragment"
    return None
