"""The real wire, on loopback: pinned, without proxies, capped while it reads."""

import asyncio
import gzip
import io
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from shared.net.addresses import parse_networks
from shared.net.aiohttp_send import send_with_aiohttp
from shared.net.exchange import exchange
from shared.net.guard import Checked, Guard
from shared.net.refused import WebError
from shared.net.web_address import read_address
from shared.net.web_request import WebAnswer, WebRequest
from tests.unit.net.local_server import LocalServer, answer, serving

LOOPBACK = parse_networks("127.0.0.0/8")


def get(page: bytes, **request: Any) -> WebAnswer:
    return asyncio.run(_get(page, request))


async def _get(page: bytes, request: dict[str, Any]) -> WebAnswer:
    async with serving({"/": page}) as server:
        return await exchange(WebRequest(server.url, **request), Guard(LOOPBACK))


def ended(page: bytes, **request: Any) -> tuple[str, bool]:
    with pytest.raises(WebError) as refusal:
        get(page, **request)
    return refusal.value.code, refusal.value.transient


def test_a_page_comes_back_whole() -> None:
    came = get(answer(b"hello", "text/plain", 404, "X-More: yes\r\n"))

    assert (came.status, came.body, came.headers["x-more"]) == (404, b"hello", "yes")


def test_the_name_goes_into_the_host_header_and_the_socket_to_the_checked_address() -> None:
    async def nowhere_else(host: str, port: int) -> Sequence[str]:
        assert host == "site.example"
        return ["127.0.0.1"]

    async def scene() -> LocalServer:
        async with serving({"/a?b": answer(b"")}) as server:
            request = WebRequest(f"http://site.example:{server.port}/a?b")
            await exchange(request, Guard(LOOPBACK, nowhere_else))
            return server

    server = asyncio.run(scene())

    assert f"Host: site.example:{server.port}\r\n" in server.heads[0]
    assert "Cookie" not in server.heads[0]


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    assert get(answer(b"direct")).body == b"direct"


def test_the_socket_is_refused_when_the_check_was_passed_by() -> None:
    # given somebody who calls the wire with an address nobody allowed
    async def scene() -> LocalServer:
        async with serving({"/": answer(b"secret")}) as server:
            to = Checked(read_address(server.url), ("127.0.0.1",))
            with pytest.raises(WebError, match="not a public address") as refusal:
                await send_with_aiohttp(WebRequest(server.url), to, Guard())
            assert refusal.value.code == "address_not_allowed"
            return server

    assert asyncio.run(scene()).heads == []


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_body_is_unpacked(pack: Any) -> None:
    packed = b"gzip" if pack is gzip.compress else b"deflate"
    page = answer(pack(b"hello" * 100), more=f"Content-Encoding: {packed.decode()}\r\n")

    assert get(page).body == b"hello" * 100


def test_a_body_that_unpacks_to_too_much_is_refused() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    page = answer(bomb, more="Content-Encoding: gzip\r\n")

    assert len(bomb) < 20_000
    assert ended(page, most_bytes=20_000) == ("too_large", False)


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 20001\r\n\r\n..."

    assert ended(page, most_bytes=20_000) == ("too_large", False)


def test_a_body_that_turns_out_too_large_is_cut_off() -> None:
    page = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_001 + b"..."

    assert ended(page, most_bytes=20_000) == ("too_large", False)


def test_a_body_that_never_ends_is_cut_off_by_time() -> None:
    assert ended(b"HTTP/1.1 200 OK\r\n\r\nx...", wall_s=0.2) == ("timeout", True)


def test_a_server_that_says_nothing_is_cut_off_by_time() -> None:
    assert ended(b"...", wall_s=0.2) == ("timeout", True)


@pytest.mark.parametrize(
    ("page", "transient"),
    [
        (answer(b"not gzip", more="Content-Encoding: gzip\r\n"), False),
        (answer(gzip.compress(b"hello")[:-9], more="Content-Encoding: gzip\r\n"), True),
        (answer(b"x", more="Content-Encoding: br\r\n"), False),
        (
            answer(gzip.compress(b"a") + gzip.compress(b"b"), more="Content-Encoding: gzip\r\n"),
            False,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", True),
        (b"SSH-2.0-OpenSSH\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", False),
    ],
)
def test_a_broken_answer_is_told(page: bytes, transient: bool) -> None:
    assert ended(page) == ("bad_response", transient)


def test_a_port_nobody_listens_on_is_unreachable_for_now() -> None:
    async def scene() -> None:
        async with serving({}) as server:
            url = server.url
        await exchange(WebRequest(url), Guard(LOOPBACK))

    with pytest.raises(WebError) as refusal:
        asyncio.run(scene())

    assert (refusal.value.code, refusal.value.transient) == ("unreachable", True)


@pytest.mark.parametrize(
    "page",
    [
        answer(b"x" * 100_000),
        answer(b"x" * 100_000) + b"...",  # and never ends
        b"HTTP/1.1 200 X\r\nContent-Length: 1000000000000\r\n\r\n" + b"x" * 5_000 + b"...",
    ],
)
def test_of_an_answer_that_is_cut_the_beginning_is_kept_and_the_rest_not_read(page: bytes) -> None:
    came = get(page, most_bytes=4_096, cut=True)

    assert (came.status, came.body, came.truncated) == (200, b"x" * 4_096, True)


def test_of_an_answer_that_is_cut_a_broken_body_is_no_error() -> None:
    came = get(
        b"HTTP/1.1 200 X\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort",
        most_bytes=4_096,
        cut=True,
    )

    assert (came.status, came.body, came.truncated) == (200, b"short", False)


def test_an_answer_that_is_cut_is_not_unpacked() -> None:
    packed = gzip.compress(b"x" * 1_000_000)
    came = get(answer(packed, more="Content-Encoding: gzip\r\n"), most_bytes=100, cut=True)

    assert (came.status, came.body) == (200, packed[:100])


def test_a_body_can_be_written_elsewhere_while_it_comes() -> None:
    packed = answer(gzip.compress(b"x" * 500_000), more="Content-Encoding: gzip\r\n")
    target, untouched = io.BytesIO(), io.BytesIO()

    came = get(packed, into=target, most_bytes=600_000)
    missing = get(answer(b"not found", status=404), into=untouched)

    assert (came.body, target.getvalue()) == (b"", b"x" * 500_000)
    assert (missing.status, missing.body, untouched.getvalue()) == (404, b"", b"")


def test_a_body_written_elsewhere_is_capped_as_well() -> None:
    target = io.BytesIO()

    assert ended(answer(b"x" * 200_000), into=target, most_bytes=100_000) == ("too_large", False)
    assert len(target.getvalue()) <= 100_000
