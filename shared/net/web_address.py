"""Reads the address of a web page the one way that leaves no room for a second reading."""

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, urljoin, urlsplit

from shared.net.refused import not_allowed

LONGEST = 4_000  # characters
_PORTS = {"http": 80, "https": 443}
_FIRST_HIGH_PORT = 1_024  # below lie services that speak no HTTP, and could be made to act
# what browsers, libraries and resolvers read differently: blanks, controls, the backslash
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")
_HOST = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
_BRACKETED = re.compile(r"\[[0-9a-fA-F:.]+\](?::[0-9]*)?")
_LIKE_A_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\.?\Z")
_KEPT_IN_PATH = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An address as it is sent: `host` in ASCII lower case, `literal` when it is an IP address.

    `target` is path and query, percent-encoded; there is no fragment and never a user name.
    """

    scheme: str
    host: str
    port: int
    target: str
    literal: bool

    @property
    def url(self) -> str:
        """The address in full."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def read_address(text: str) -> WebAddress:
    """Return the address; raise WebError ``address_not_allowed`` for one that is not plain."""
    if len(text) > LONGEST:
        raise not_allowed(f"The address is longer than {LONGEST} characters.")
    if _AMBIGUOUS.search(text):
        raise not_allowed("The address holds blanks, control characters or backslashes.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise not_allowed(f"This is not an address: {error}.") from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise not_allowed("The address must begin with http:// or https://.")
    if "@" in parts.netloc:
        raise not_allowed("The address must not carry a user or password.")
    if not host:
        raise not_allowed("The address names no host.")
    if "[" in parts.netloc and not _BRACKETED.fullmatch(parts.netloc):
        raise not_allowed("The host in brackets is not an IPv6 address.")
    name, literal = _host(host, bracketed="[" in parts.netloc)
    query = f"?{quote(parts.query, safe=_KEPT_IN_PATH + '?')}" if parts.query else ""
    target = (quote(parts.path, safe=_KEPT_IN_PATH) or "/") + query
    return WebAddress(scheme, name, _port(port, scheme), target, literal)


def follow(address: WebAddress, location: str) -> WebAddress:
    """Return where a redirect leads; raise WebError as `read_address` does."""
    if _AMBIGUOUS.search(location):
        raise not_allowed("The redirect holds blanks, control characters or backslashes.")
    try:
        joined = urljoin(address.url, location)
    except ValueError as error:
        raise not_allowed(f"The redirect is not an address: {error}.") from None
    return read_address(joined)


def _port(port: int | None, scheme: str) -> int:
    if port is None:
        return _PORTS[scheme]
    if port < _FIRST_HIGH_PORT and port not in _PORTS.values():
        raise not_allowed(f"Port {port} is not for web pages.")
    return port


def _host(host: str, *, bracketed: bool) -> tuple[str, bool]:
    """Return the host as it is looked up, and whether it is an address itself."""
    if bracketed:
        try:
            return str(IPv6Address(host)), True
        except ValueError:
            raise not_allowed("The host in brackets is not an IPv6 address.") from None
    name = _ascii(host)
    last = name.rstrip(".").rpartition(".")[2]
    if _LIKE_A_NUMBER.match(last):  # a resolver would read any such name as an IPv4 address
        return _dotted_quad(host), True
    if len(name) > 253 or not _HOST.fullmatch(name):
        raise not_allowed("The host is not a name.")
    return name, False


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return unicodedata.normalize("NFKC", host).encode("idna").decode().lower()
    except UnicodeError:
        raise not_allowed("The host is not a name.") from None


def _dotted_quad(host: str) -> str:
    """Accept four plain decimal numbers and no other way to write an IPv4 address."""
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise not_allowed("The host is a number, but not written as four plain ones.") from None
