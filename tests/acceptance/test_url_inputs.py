"""Inputs given by address, through the door of the real services; everything stays on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests import files
from tests.s3_stand_in import s3_stand_in
from tests.stack import Stack

PLAN: dict[str, Any] = {
    "version": 1,
    "stages": [
        {
            "name": "clean",
            "over": "tickets",
            "unit": {"rows": 1},
            "capability": "redact",
            "params": {"field": "text"},
        }
    ],
    "result": {"table": "clean"},
}
CSV = b"id,text\n1,write to ann@example.com\n2,nothing here\n"
ZIP = files.zipped({"in.csv": CSV})


class Pages(BaseHTTPRequestHandler):
    """A web server with a table, one that moved, and nothing else."""

    def do_GET(self) -> None:
        moved = self.path == "/moved"
        body = {"/tickets.zip": ZIP}.get(self.path, b"")
        self.send_response(302 if moved else 200 if body else 404)
        if moved:
            self.send_header("Location", "http://10.0.0.1/inside")
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def pages() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_inputs_come_from_where_the_operator_lets_them(
    make_stack: Callable[..., Stack], pages: str
) -> None:
    with s3_stand_in({"bucket/in/tickets.csv": CSV}) as s3:
        stack = make_stack(
            APWA_ALLOW_NETWORKS="127.0.0.0/8",
            APWA_REMOTE_PREFIXES="s3://bucket/in/",
            APWA_REMOTE_OPTIONS=json.dumps({"s3": s3.options()}),
        ).start_all(workers=1)
        given = {
            "web": f"{pages}/tickets.zip",
            "s3": "s3://bucket/in/tickets.csv",
            "gone": f"{pages}/gone.csv",
            "inside": f"{pages}/moved",
        }
        ids = {name: stack.submit(job(url)) for name, url in given.items()}

        ended = {name: stack.wait(id_) for name, id_ in ids.items()}

        for name in ("web", "s3"):
            assert ended[name]["status"] == "succeeded", ended[name]
            texts = [row["text"] for row in stack.results(ids[name])]
            assert len(texts) == 2
            assert "ann@example.com" not in texts[0]
        assert ended["gone"]["error"]["code"] == "input_unreachable"
        assert ended["inside"]["error"]["code"] == "address_not_allowed"
        refused = stack.post("/v1/jobs", job("http://10.0.0.1/tickets.csv"))
        assert (refused.status, refused.json["code"]) == (422, "address_not_allowed")
        assert "APWA_ALLOW_NETWORKS" in refused.json["detail"]
        for role in stack.processes:
            assert stack.logs(role), role
            assert s3.options()["secret"] not in stack.logs(role), role


def job(url: str) -> dict[str, Any]:
    return {"plan": PLAN, "inputs": {"tickets": {"url": url, "key": "id"}}}
