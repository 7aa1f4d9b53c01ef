"""Where the API listens: the port it had before if that is free, and how to reach it."""

from ipaddress import ip_address
from pathlib import Path

from services.cli.embedded.ports import choose_port, is_free
from services.cli.embedded.private_file import read_private, write_private

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - replaced, not listened on


class PortTakenError(RuntimeError):
    """The port that was asked for is taken."""


def choose_api_port(folder: Path, host: str, *, wanted: int | None, usual: int) -> int:
    """Return the port to listen on, and remember it in ``folder``.

    ``wanted`` must be free, 0 means any; None takes the former port, else ``usual``, else any.
    Raises PortTakenError.
    """
    if wanted:
        if not is_free(wanted, host):
            raise PortTakenError(f"port {wanted} of {host} is taken: choose another --port")
        return wanted
    memory = folder / "api_port.json"
    former = read_private(memory).get("port")
    first = None if wanted == 0 else usual
    port = former if former and is_free(former, host) else choose_port(first, host)
    write_private(memory, {"port": port})
    return port


def reachable_host(host: str) -> str:
    """Return a host that a client on this machine can connect to."""
    return _EVERYWHERE.get(host, host)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches what listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def http_address(host: str, port: int) -> str:
    """Return the address of the API for clients on this machine."""
    reachable = reachable_host(host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
