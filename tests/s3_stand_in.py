"""A small server on loopback that speaks as much of S3 as reading takes: HEAD, GET, ListObjects.

It knows one key, refuses every request that is not signed with it by name, and keeps what it was
asked. Signatures themselves are not computed: what is tested is who reads what, not their crypto.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEY, SECRET = "the-key-of-the-test", "the-secret-of-the-test"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_XML = "http://s3.amazonaws.com/doc/2006-03-01/"


class S3StandIn:
    """The running server: `objects` by ``bucket/key``, `asked` as ``METHOD /path``."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = dict(objects)
        self.asked: list[str] = []
        self.sent_bytes = 0
        self.port = 0

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the options with which s3fs reads from here."""
        return {
            "key": KEY,
            "secret": SECRET,
            "client_kwargs": {
                "endpoint_url": f"http://127.0.0.1:{self.port}",
                "region_name": "us-east-1",
            },
            "config_kwargs": {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}},
            **more,
        }


@contextmanager
def s3_stand_in(objects: Mapping[str, bytes]) -> Iterator[S3StandIn]:
    """Serve while the block runs."""
    stand_in = S3StandIn(objects)

    class Handler(_Handler):
        shown = stand_in

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    shown: S3StandIn
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).lstrip("/")
        self.shown.asked.append(f"{self.command} /{path}")
        if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
            self._error(403, "SignatureDoesNotMatch", with_body=with_body)
        elif "list-type" in parse_qs(parts.query):
            self._list(path.rstrip("/"), parse_qs(parts.query).get("prefix", [""])[0])
        elif path not in self.shown.objects:
            self._error(404, "NoSuchKey", with_body=with_body)
        else:
            self._object(self.shown.objects[path], with_body=with_body)

    def _object(self, data: bytes, *, with_body: bool) -> None:
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        first, last = 0, len(data) - 1
        if wanted:
            first = int(wanted[1])
            last = min(last, int(wanted[2] or last))
        part = data[first : last + 1]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Type", "binary/octet-stream")
        self.send_header("ETag", '"0123456789abcdef0123456789abcdef"')
        self.send_header("Last-Modified", "Sat, 31 Jan 2026 08:00:00 GMT")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if with_body:
            self.shown.sent_bytes += len(part)
            self.wfile.write(part)

    def _list(self, bucket: str, prefix: str) -> None:
        found = [
            name.partition("/")[2]
            for name in self.shown.objects
            if name.startswith(f"{bucket}/{prefix}")
        ]
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(self.shown.objects[f'{bucket}/{key}'])}</Size>"
            "<LastModified>2026-01-31T08:00:00.000Z</LastModified></Contents>"
            for key in found
        )
        self._xml(
            200,
            f'<ListBucketResult xmlns="{_XML}"><Name>{bucket}</Name><Prefix>{prefix}</Prefix>'
            f"<KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>{entries}"
            "</ListBucketResult>",
            with_body=True,
        )

    def _error(self, status: int, code: str, *, with_body: bool) -> None:
        self._xml(status, f"<Error><Code>{code}</Code></Error>", with_body=with_body)

    def _xml(self, status: int, text: str, *, with_body: bool) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
