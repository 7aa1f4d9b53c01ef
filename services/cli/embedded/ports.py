"""Chooses TCP ports of the loopback interface."""

import socket


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(wanted: int | None, host: str = "127.0.0.1") -> int:
    """Return ``wanted`` when it is free, else any free port."""
    if wanted and is_free(wanted, host):
        return wanted
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
