"""A TCP relay between services and Postgres that can be slow, or cut a connection at a COMMIT."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

BEFORE, SENT, ANSWERED = "before", "sent", "answered"
_COMMIT = b"COMMIT\x00"  # as a query of the client, and as the tag of the server's answer


class PostgresLink:
    """``with PostgresLink(url) as link: Stack(..., extra={"APWA_DATABASE_URL": link.url})``.

    `latency_s` delays whatever a client sends. `cut` is asked at every COMMIT, with what the client
    said since the last one, whether the connection ends there: before it is passed on (nothing was
    done), once it is (nobody knows), or once the server answered (it is done, and the client does
    not know); None lets it live.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.port is not None
        self._server = (str(parts.hostname), parts.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = url.replace(f":{parts.port}/", f":{self.port}/")
        self.latency_s = 0.0
        self.cut: Callable[[bytes], str | None] = lambda _said: None
        self._wires: list[_Wire] = []

    def __enter__(self) -> "PostgresLink":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._listening.close()
        for wire in self._wires:
            wire.end()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                try:
                    server = socket.create_connection(self._server, timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                wire = _Wire(self, client, server)
                self._wires = [one for one in self._wires if not one.ended] + [wire]
                threading.Thread(target=wire.send, daemon=True).start()
                threading.Thread(target=wire.receive, daemon=True).start()


@dataclass
class _Wire:
    link: PostgresLink
    client: socket.socket
    server: socket.socket
    ended: bool = False
    ends_at_answer: bool = False

    def send(self) -> None:
        """Client to server."""
        said = b""
        with contextlib.suppress(OSError):
            while data := self.client.recv(1 << 16):
                said += data
                if self.link.latency_s:
                    time.sleep(self.link.latency_s)
                where = self.link.cut(said) if _COMMIT in data else None
                said = b"" if _COMMIT in data else said
                if where == BEFORE:
                    break
                self.ends_at_answer = where == ANSWERED
                self.server.sendall(data)
                if where == SENT:
                    break
        self.end()

    def receive(self) -> None:
        """Server to client."""
        with contextlib.suppress(OSError):
            while data := self.server.recv(1 << 16):
                if self.ends_at_answer and _COMMIT in data:
                    break
                self.client.sendall(data)
        self.end()

    def end(self) -> None:
        """Close both ends."""
        self.ended = True
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
