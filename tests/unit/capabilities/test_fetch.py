"""`fetch`: pages become text, everything else an outcome with a code."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from services.worker.capabilities import fetch_page as pages
from services.worker.capabilities.fetch import capability
from services.worker.capabilities.fetch_page import FetchLimits, Page, fetch_page, limits_of
from services.worker.capabilities.side_child import close_children
from shared.capabilities import builtin
from shared.capabilities.registry import check_capability, manifest_of
from shared.net.addresses import parse_networks
from shared.net.guard import Guard
from shared.net.refused import WebError
from shared.settings import SettingsError, load_settings
from tests.unit.capabilities.units import context_of, unit_of
from tests.unit.net.local_server import answer, serving

LIMITS = FetchLimits(Guard(parse_networks("127.0.0.0/8")), 100_000, 10.0)
ARTICLE = (
    b"<html><head><title> The  title </title><script>alert(1)</script></head>"
    b"<body><nav>Menu</nav><article><p>The first paragraph of the page.</p>"
    b"<p>The second one, which says more.</p></article></body></html>"
)


@pytest.fixture(scope="module", autouse=True)
def _children() -> Iterator[None]:
    yield
    close_children()


def fetched(served: dict[str, bytes], limits: FetchLimits = LIMITS) -> Page:
    async def scene() -> Page:
        async with serving(served) as server:
            return await fetch_page(f"{server.url}/", limits)

    return asyncio.run(scene())


def ended(page: bytes, limits: FetchLimits = LIMITS) -> WebError:
    with pytest.raises(WebError) as failure:
        fetched({"/": page}, limits)
    return failure.value


def test_it_keeps_the_contract() -> None:
    assert check_capability(capability) == []
    assert manifest_of(capability).output is None
    assert builtin.output_schema("fetch", {}, {}) == builtin.manifests()["fetch"].output


def test_a_web_page_becomes_its_title_and_text() -> None:
    page = fetched({"/": answer(ARTICLE)})

    assert (page.status, page.title) == (200, "The title")
    assert "The first paragraph of the page." in page.text
    assert "alert" not in page.text
    assert page.fetched_at.endswith("Z")
    assert datetime.fromisoformat(page.fetched_at).tzinfo is not None


def test_the_url_is_the_one_that_answered() -> None:
    served = {"/": answer(b"", status=302, more="Location: /b?c=d\r\n"), "/b?c=d": answer(b"x")}

    assert fetched(served).url.endswith("/b?c=d")


def test_a_missing_page_is_a_page_with_its_status() -> None:
    assert fetched({"/": answer(b"<p>Not here.</p>", status=404)}).status == 404


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"plain", "text/plain", "plain"),
        (b'{"a": 1}', "application/json", '{"a": 1}'),
        (b"<a/>", "application/atom+xml", "<a/>"),
        ("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1", "Grüße"),
        ("Grüße".encode(), "text/plain; charset=nonsense", "Grüße"),
        ("\ufeffGrüße".encode(), "text/plain; charset=utf-8", "Grüße"),
        (b"", "image/png", ""),
    ],
)
def test_a_text_stays_as_it_is(body: bytes, content_type: str, text: str) -> None:
    assert fetched({"/": answer(body, content_type)}).text == text


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"\x89PNG", "image/png"),
        (b"<svg/>", "image/svg+xml"),
        (b"PK", "application/octet-stream"),
        (b"what am I", ""),
        (b"a\0b", "text/plain"),
    ],
)
def test_what_is_no_text_is_refused(body: bytes, content_type: str) -> None:
    assert ended(answer(body, content_type)).code == "not_text"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again_when_it_says(status: int) -> None:
    failure = ended(answer(b"", status=status, more="Retry-After: 7\r\n"))

    assert (failure.code, failure.transient, failure.retry_after_s) == ("busy", True, 7.0)


def test_a_page_that_is_too_large_is_refused() -> None:
    assert ended(answer(b"x" * 100_001)).code == "too_large"


def test_a_page_that_never_comes_is_given_up() -> None:
    hasty = FetchLimits(LIMITS.guard, 100_000, 0.2)

    assert (ended(b"...", hasty).code, ended(b"...", hasty).transient) == ("timeout", True)


def test_a_redirect_into_a_private_network_is_refused() -> None:
    page = answer(b"", status=302, more="Location: http://10.0.0.1/\r\n")

    assert ended(page).code == "address_not_allowed"


def test_a_page_that_takes_too_long_to_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "READ_S", 0.01)
    slow = answer(b"<div>" * 19_000 + b"x")

    assert ended(slow).code == "bad_response"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_no_address_gives_no_page(value: Any) -> None:
    row = asyncio.run(capability.run(unit_of(value), context_of()))

    assert row == dict.fromkeys(("url", "status", "title", "text", "fetched_at"))


@pytest.mark.parametrize("url", ["http://localhost:1/", "http://127.0.0.1/", "http://0x7f.1/", "x"])
def test_by_default_the_capability_reaches_no_address_of_this_machine(url: str) -> None:
    with pytest.raises(WebError) as failure:
        asyncio.run(capability.run(unit_of(url), context_of()))

    assert failure.value.code == "address_not_allowed"


def test_networks_are_allowed_by_a_setting() -> None:
    limits = limits_of(load_settings({"APWA_ALLOW_NETWORKS": "127.0.0.0/8"}, stores=False))

    assert limits.guard.allowed == parse_networks("127.0.0.0/8")


def test_a_setting_with_something_else_than_networks_is_refused() -> None:
    with pytest.raises(SettingsError, match="APWA_ALLOW_NETWORKS"):
        load_settings({"APWA_ALLOW_NETWORKS": "127.0.0.1/8"}, stores=False)
