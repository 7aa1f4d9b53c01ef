"""Which API is spoken to, with which key, and whether through a proxy."""

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

URL_VARIABLE, KEY_VARIABLE = "APWA_API_URL", "APWA_API_KEY"


@dataclass(frozen=True, slots=True)
class Address:
    """An API and a key for it; the key is never shown."""

    url: str
    key: str = field(repr=False)

    @property
    def may_use_proxy(self) -> bool:
        """False for this machine: a proxy elsewhere would ask its own loopback."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:
            return True


def address_of(url: str | None, key: str | None) -> Address:
    """Return the address given, else that of the environment; ValueError when one is missing."""
    found = url or os.environ.get(URL_VARIABLE, "")
    secret = key or os.environ.get(KEY_VARIABLE, "")
    if not found or not secret:
        raise ValueError(f"give url and key, or set {URL_VARIABLE} and {KEY_VARIABLE}")
    parts = urlsplit(found)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{found} is no address of an API: write http(s)://host[:port]")
    return Address(found.rstrip("/"), secret)
