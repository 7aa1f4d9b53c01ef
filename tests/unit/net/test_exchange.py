"""An exchange goes where its addresses were checked, hop by hop; nothing here leaves loopback."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared.net.exchange import exchange
from shared.net.guard import Checked, Guard
from shared.net.refused import WebError
from shared.net.web_request import WebAnswer, WebRequest


class Names:
    """A resolver that answers from a list, one answer per look-up, and counts."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(rows) for name, rows in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[host].pop(0)


class Wire:
    """Stands where bytes leave the process: notes where they would have gone."""

    def __init__(self, *answers: WebAnswer) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, tuple[str, ...], dict[str, str]]] = []

    async def __call__(self, request: WebRequest, to: Checked, guard: Guard) -> WebAnswer:
        self.sent.append((to.address.url, to.ips, dict(request.headers)))
        return self.answers.pop(0)


def page(**headers: str) -> WebAnswer:
    return WebAnswer("", 302 if "location" in headers else 200, headers, b"body")


def ended(url: str, names: Names, wire: Wire, **request: Any) -> str:
    with pytest.raises(WebError) as refusal:
        asyncio.run(exchange(WebRequest(url, **request), Guard(resolve=names), wire))
    return refusal.value.code


def test_the_name_is_looked_up_once_and_sent_to_what_was_checked() -> None:
    # given a name that would lead inside at a second look-up
    names = Names(rebind_example=[["93.184.216.34"], ["127.0.0.1"]])
    wire = Wire(page())

    asyncio.run(exchange(WebRequest("http://rebind.example/"), Guard(resolve=names), wire))

    assert wire.sent == [("http://rebind.example/", ("93.184.216.34",), {})]
    assert names.asked == ["rebind.example"]


@pytest.mark.parametrize(
    "ips",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "10.0.0.1"],
        ["10.0.0.1", "93.184.216.34"],
        ["::ffff:169.254.169.254"],
        ["2606:4700::1111", "fe80::1%lo"],
    ],
)
def test_one_address_that_is_not_public_refuses_the_name(ips: list[str]) -> None:
    wire = Wire()

    assert ended("http://a.example/", Names(a_example=[ips]), wire) == "address_not_allowed"
    assert wire.sent == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://[::1]/", "http://0x7f.1/"])
def test_a_literal_address_is_checked_without_a_look_up(url: str) -> None:
    names, wire = Names(), Wire()

    assert ended(url, names, wire) == "address_not_allowed"
    assert (names.asked, wire.sent) == ([], [])


def test_a_name_without_addresses_is_unreachable_for_now() -> None:
    with pytest.raises(WebError) as refusal:
        asyncio.run(
            exchange(WebRequest("http://a.example/"), Guard(resolve=Names(a_example=[[]])), Wire())
        )

    assert (refusal.value.code, refusal.value.transient) == ("unreachable", True)


def test_a_redirect_is_looked_up_and_checked_anew() -> None:
    names = Names(a_example=[["93.184.216.34"]], b_example=[["192.168.0.1"]])
    wire = Wire(page(location="http://b.example/x"))

    assert ended("http://a.example/", names, wire, redirects=3) == "address_not_allowed"
    assert [url for url, *_ in wire.sent] == ["http://a.example/"]


def test_a_redirect_back_to_the_same_name_is_looked_up_again() -> None:
    names = Names(a_example=[["93.184.216.34"], ["127.0.0.1"]])
    wire = Wire(page(location="/again"))

    assert ended("http://a.example/", names, wire, redirects=3) == "address_not_allowed"


def test_three_redirects_are_followed_and_no_fourth() -> None:
    names = Names(a_example=[["93.184.216.34"]] * 5)
    good = Wire(*[page(location="/next")] * 3, page())
    endless = Wire(*[page(location="/next")] * 5)
    request = WebRequest("http://a.example/", redirects=3)

    answer = asyncio.run(exchange(request, Guard(resolve=names), good))

    assert answer.body == b"body"
    names = Names(a_example=[["93.184.216.34"]] * 5)
    assert ended("http://a.example/", names, endless, redirects=3) == "too_many_redirects"
    assert len(endless.sent) == 4


def test_without_leave_to_follow_a_redirect_is_the_answer() -> None:
    names = Names(a_example=[["93.184.216.34"]])
    wire = Wire(page(location="http://127.0.0.1/"))

    answer = asyncio.run(exchange(WebRequest("http://a.example/"), Guard(resolve=names), wire))

    assert answer.status == 302
    assert len(wire.sent) == 1


def test_credentials_do_not_travel_along_a_redirect() -> None:
    names = Names(a_example=[["93.184.216.34"]], b_example=[["93.184.216.35"]])
    wire = Wire(page(location="http://b.example/"), page())
    headers = {"Authorization": "secret", "Cookie": "secret", "Accept": "text/html"}
    request = WebRequest("http://a.example/", headers=headers, redirects=1)

    asyncio.run(exchange(request, Guard(resolve=names), wire))

    assert [sent for *_, sent in wire.sent] == [headers, {"Accept": "text/html"}]


def test_an_answer_that_never_comes_ends_at_the_limit() -> None:
    async def silence(request: WebRequest, to: Checked, guard: Guard) -> WebAnswer:
        await asyncio.Event().wait()
        raise AssertionError

    request = WebRequest("http://93.184.216.34/", wall_s=0.01)

    with pytest.raises(WebError) as refusal:
        asyncio.run(exchange(request, Guard(), silence))

    assert (refusal.value.code, refusal.value.transient) == ("timeout", True)
