"""A receiver of webhooks on loopback that answers as told and keeps what it got."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers each path by its rule: how many times which status, then 200.

    A path in `hanging` answers nothing until `let_go` is set.
    """

    port: int = 0
    fails: dict[str, list[int]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)
    requests: list[Got] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def got(self, path: str) -> list[Got]:
        """Return what came to a path so far."""
        with self._lock:
            return [one for one in self.requests if one.path == path]

    def answer(self, request: Got) -> int:
        """Keep a request and return the status it gets."""
        with self._lock:
            self.requests.append(request)
            waits = self.fails.get(request.path)
            status = waits.pop(0) if waits else 200
        if request.path in self.hanging:
            self.let_go.wait(60)
        return status


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve on a free port of loopback while the block runs."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.answer(Got(self.path, headers, body))
            try:
                self.send_response(status)
                for name, value in receiver.headers.get(self.path, {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except ConnectionError:
                return  # who waited has gone

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
