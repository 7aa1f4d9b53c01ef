"""What each process says to Redis, as MONITOR shows it."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
import redis

from tests.stack import Stack

NEUTRAL = {"HELLO", "CLIENT", "PING", "MULTI", "EXEC", "SCRIPT", "SELECT", "INFO", "COMMAND"}
READS = {"BRPOP", "GET", "HGET", "SMEMBERS", "ZRANGE", "LLEN", "PSUBSCRIBE", "SUBSCRIBE", "EXISTS"}
WRITES = {
    "LPUSH",
    "SET",
    "HSET",
    "HDEL",
    "ZADD",
    "ZREM",
    "SADD",
    "SREM",
    "PUBLISH",
    "DEL",
    "HINCRBY",
    "EXPIRE",
}
SCRIPTS = {"EVALSHA", "EVAL"}  # both: what they do inside is not told apart
END = "the test has seen enough"


@dataclass(frozen=True)
class Said:
    """One command: who (role and number), its name, its keys or channels, the rest as text."""

    who: tuple[str, int]
    name: str
    keys: tuple[str, ...]
    rest: str

    @property
    def reads(self) -> bool:
        return self.name in READS | SCRIPTS

    @property
    def writes(self) -> bool:
        return self.name in WRITES | SCRIPTS


@dataclass
class Traffic:
    """Everything that was said while `recorded` was open."""

    stack: Stack
    lines: list[dict[str, Any]] = field(default_factory=list)
    ports: dict[str, tuple[str, int]] = field(default_factory=dict)

    def look_who_is_who(self) -> None:
        """Note which process each connection to Redis belongs to."""
        for role, processes in self.stack.processes.items():
            for number, process in enumerate(processes):
                parent = psutil.Process(process.pid)
                for one in [parent, *parent.children(recursive=True)]:
                    for connection in one.net_connections("tcp"):
                        if connection.raddr and connection.raddr.port == self.stack.valkey.port:
                            self.ports[str(connection.laddr.port)] = (role, number)

    @property
    def said(self) -> list[Said]:
        """The commands with something to them; a command or a client nobody knows is an error."""
        found = []
        for line in self.lines:
            name, _, rest = line["command"].partition(" ")
            name = name.upper()
            if name in NEUTRAL or line["client_type"] == "lua":
                continue  # a script's own commands; the call of the script is seen too
            assert name in READS | WRITES | SCRIPTS, f"what does {name} do?"
            keys, rest = _keys(name, rest)
            found.append(Said(self.ports[line["client_port"]], name, keys, rest))
        return found


@contextmanager
def recorded(stack: Stack) -> Iterator[Traffic]:
    """Record what is said to the stack's Redis until the block ends."""
    traffic, listening, ended = Traffic(stack), threading.Event(), threading.Event()
    client = redis.Redis.from_url(stack.valkey.url(), socket_timeout=120)

    def listen() -> None:
        with client.monitor() as monitor:
            listening.set()
            for line in monitor.listen():
                if END in line["command"]:
                    break
                traffic.lines.append(line)
        ended.set()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert listening.wait(10)
    yield traffic
    traffic.look_who_is_who()
    stack.redis().echo(END)
    assert ended.wait(10)
    thread.join(10)
    client.close()


def message_of(envelope: str) -> dict[str, Any]:
    """Return the one argument of a Celery message, as it stands in a queue or in `unacked`."""
    found = json.loads(envelope)
    raw = found[0] if isinstance(found, list) else found
    positional, named, _ = json.loads(base64.b64decode(raw["body"]))
    assert (positional, list(named)) == ([], ["message"])
    message: dict[str, Any] = named["message"]
    return message


def _keys(name: str, rest: str) -> tuple[tuple[str, ...], str]:
    if name == "BRPOP":
        return tuple(rest.split()[:-1]), ""
    if name in SCRIPTS:
        _, count, *arguments = rest.split()
        return tuple(arguments[: int(count)]), ""
    key, _, rest = rest.partition(" ")
    if name == "HSET":
        rest = rest.partition(" ")[2]
    return (key,), rest
