"""Moves this process into a network of its own that has loopback and nothing else.

What is tested here is fed addresses that a generator made up, and fetches some of them. So not the
good behaviour of any code, but the kernel keeps every packet and every lookup on this machine.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40


class NoOwnNetwork(RuntimeError):
    """This system or account cannot give a process a network of its own."""


def enter_own_network() -> None:
    """Leave every network for ever, children included; before the first thread starts.

    An account other than root's gets a user namespace too, in which it stays who it is. Raises
    NoOwnNetwork where the kernel refuses or is not Linux.
    """
    user, group = os.getuid(), os.getgid()
    if sys.platform != "linux":
        raise NoOwnNetwork("network namespaces are Linux's")
    _unshare(_CLONE_NEWNET if user == 0 else _CLONE_NEWNET | _CLONE_NEWUSER)
    try:
        if user != 0:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _raise_loopback()
    except OSError as error:
        raise NoOwnNetwork(f"no loopback in it: {error}") from error
    require_loopback_only()


def require_loopback_only() -> None:
    """Raise NoOwnNetwork if this process sees another interface than loopback."""
    seen = [name for _, name in socket.if_nameindex()]
    if seen != ["lo"]:
        raise NoOwnNetwork(f"interfaces other than loopback: {seen}")


def _unshare(flags: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(flags) != 0:
        raise NoOwnNetwork(f"unshare: {os.strerror(ctypes.get_errno())}")


def _raise_loopback() -> None:
    request = struct.pack("16sh", b"lo", _IFF_UP | _IFF_RUNNING)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)
