"""A client of server-sent events that can be cut off anywhere, as a browser on a train is."""

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.stack import Stack


@dataclass
class Told:
    """One event of a stream."""

    name: str
    data: dict[str, Any]
    id: str | None = None


class EventReader:
    """One connection; `answer` is what came back, `read` yields events as they come."""

    def __init__(
        self, stack: Stack, path: str, after: str | None = None, *, key: bool = True,
        port: int | None = None,
    ) -> None:  # fmt: skip
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port or stack.api_port, timeout=30
        )
        headers = {"Accept": "text/event-stream"}
        headers |= {"Authorization": f"Bearer {stack.key}"} if key else {}
        headers |= {"Last-Event-ID": after} if after else {}
        self._connection.request("GET", path, headers=headers)
        self._socket: socket.socket | None = self._connection.sock
        self.answer = self._connection.getresponse()
        self.comments = 0

    def read(self) -> Iterator[Told]:
        """Yield whole events; one that was cut off half way is none."""
        fields: dict[str, str] = {}
        while line := self.answer.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if line == "\n" and "data" in fields:
                yield Told(fields["event"], json.loads(fields["data"]), fields.get("id"))
            if line == "\n":
                fields = {}
            elif line.startswith(":"):
                self.comments += 1
            else:
                fields[name] = value
        self.close()

    def close(self) -> None:
        """Hang up."""
        self.answer.close()
        self._connection.close()

    def cut(self) -> None:
        """Break off as a lost network does: a reset, not a good-bye."""
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()
        if self._socket is not None:
            self._socket.close()
