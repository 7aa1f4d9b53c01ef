"""The API as a real process: odd clients, a Redis that is away, an orderly end."""

import json
import signal
import socket
import time
from collections.abc import Callable

import pytest

from tests.eventually import eventually
from tests.stack import Stack

JOB = {"goal": "Redact all personal data", "inputs": {"tickets": {"rows": [{"id": 1}]}}}


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack]) -> Stack:
    made = make_module_stack()
    made.start("api")
    eventually(made.is_ready, within=90)
    return made


def talk(stack: Stack, *pieces: bytes, timeout: float = 10.0) -> bytes:
    """Send raw bytes and return everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", stack.api_port), timeout=timeout) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while block := connection.recv(65_536):
            answer += block
        return answer


def head(stack: Stack, method: str, path: str, *more: str, version: str = "1.1") -> bytes:
    lines = [
        f"{method} {path} HTTP/{version}",
        "Host: x",
        "Connection: close",
        f"Authorization: Bearer {stack.key}",
        "Content-Type: application/json",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_an_old_client_gets_an_answer(stack: Stack) -> None:
    answer = talk(stack, head(stack, "GET", "/livez", version="1.0"))
    assert answer.startswith((b"HTTP/1.0 200", b"HTTP/1.1 200"))
    assert answer.endswith(b'{"status":"ok"}')


def test_an_old_client_gets_a_stream_without_chunks(stack: Stack) -> None:
    job_id = stack.submit(JOB)
    path = f"/v1/jobs/{job_id}/results?format=csv&include=lineage"
    answer = talk(stack, head(stack, "GET", path, version="1.0"))
    assert b"Transfer-Encoding" not in answer
    assert answer.endswith(b"_apwa\r\n")


def test_head_and_options_are_answered_without_a_body(stack: Stack) -> None:
    for method, path in (("HEAD", "/v1/jobs"), ("HEAD", "/nothing"), ("OPTIONS", "/v1/jobs")):
        start, _, body = talk(stack, head(stack, method, path)).partition(b"\r\n\r\n")
        assert start.startswith(b"HTTP/1.1 404" if path == "/nothing" else b"HTTP/1.1 200")
        assert (b"Allow: GET, HEAD, OPTIONS, POST" in start) == (method == "OPTIONS")
        assert body == b""


def test_a_chunked_body_is_read_to_its_end(stack: Stack) -> None:
    body = json.dumps(JOB).encode()
    answer = talk(
        stack,
        head(stack, "POST", "/v1/jobs", "Transfer-Encoding: chunked"),
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    )
    assert answer.startswith(b"HTTP/1.1 202")


def test_a_chunked_body_over_the_limit_is_refused(stack: Stack) -> None:
    head_ = head(stack, "POST", "/v1/jobs", "Transfer-Encoding: chunked")
    block = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", stack.api_port), timeout=10) as connection:
        connection.sendall(head_)
        sent = 0
        try:
            while sent < 40:
                connection.sendall(block)
                sent += 1
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server answered and closed while we were still sending
    assert sent < 40


def test_a_declared_length_over_the_limit_is_refused_before_it_is_sent(stack: Stack) -> None:
    answer = talk(stack, head(stack, "POST", "/v1/jobs", "Content-Length: 99999999"))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"too_large"' in answer


def test_clients_that_stop_in_the_middle_hold_nobody_up(stack: Stack) -> None:
    address = ("127.0.0.1", stack.api_port)
    stuck = [socket.create_connection(address, timeout=10) for _ in range(20)]
    try:
        for number, connection in enumerate(stuck):
            start = head(stack, "POST", "/v1/jobs", "Transfer-Encoding: chunked")
            connection.sendall(start + b"ff\r\n{" if number % 2 else b"GET /livez HTT")
        before = time.monotonic()
        assert stack.get("/readyz").status == 200
        assert time.monotonic() - before < 5
    finally:
        for connection in stuck:
            connection.close()
    assert stack.scalar("SELECT count(*) FROM tables WHERE status = 'loading'") == 0


def test_no_redis_does_not_keep_a_job_from_being_stored(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.start("api")
    eventually(stack.is_ready, within=90)
    stack.valkey.stop()
    before = time.monotonic()
    job_id = stack.submit(JOB)
    assert time.monotonic() - before < 2
    assert stack.get(f"/v1/jobs/{job_id}").json["status"] == "queued"
    answer = stack.get("/readyz")
    assert answer.status == 503
    assert "Redis" in answer.json["detail"]
    assert answer.json["code"] == "not_ready"


def test_a_schema_that_is_behind_is_not_ready(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.start("api")
    eventually(stack.is_ready, within=90)
    stack.rows("UPDATE alembic_version SET version_num = '0000'")
    answer = stack.get("/readyz")
    assert answer.status == 503
    assert [error["pointer"] for error in answer.json["errors"]] == ["/migrations"]


def test_told_to_stop_the_process_ends_by_itself(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    stack.start("api")
    eventually(stack.is_ready, within=90)
    [process] = stack.processes["api"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
