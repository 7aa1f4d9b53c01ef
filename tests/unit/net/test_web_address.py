"""Addresses of web pages are read one way or refused."""

import pytest

from shared.net.refused import WebError
from shared.net.web_address import follow, read_address

READ = [
    ("http://example.com", "http://example.com/", "example.com", 80),
    ("HTTPS://EXAMPLE.com/A?b=c#d", "https://example.com/A?b=c", "example.com", 443),
    ("http://example.com:8080/x", "http://example.com:8080/x", "example.com", 8080),
    ("https://example.com:443/", "https://example.com/", "example.com", 443),
    ("http://8.8.8.8/", "http://8.8.8.8/", "8.8.8.8", 80),
    ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/", "2606:4700::1111", 80),
    ("http://exämple.com/ä?ö=ü", "http://xn--exmple-cua.com/%C3%A4?%C3%B6=%C3%BC",
     "xn--exmple-cua.com", 80),
    ("http://ｅｘａｍｐｌｅ.com/", "http://example.com/", "example.com", 80),
    ("http://example.com/a%20b", "http://example.com/a%20b", "example.com", 80),
    ("http://1.1.1.1.example.com/", "http://1.1.1.1.example.com/", "1.1.1.1.example.com", 80),
    ("http://a_b.example.com/", "http://a_b.example.com/", "a_b.example.com", 80),
]  # fmt: skip
REFUSED = [
    "",
    "example.com",
    "//example.com/",
    "/etc/passwd",
    "http:",
    "http://",
    "http:///path",
    "http:example.com",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "data:text/plain,hi",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://0/",
    "http://127.0.0.1./",
    "http://127.0.0.0x1/",
    "http://example.0x7f/",
    "http://999.1.1.1/",
    "http://１２７.0.0.1/",
    "http://①②⑦.0.0.1/",
    "http://127。0。0。1/",
    "http://127.0.0.１/",
    "http://８.8.8.8/",
    "http://%31%32%37.0.0.1/",
    "http://user@example.com/",
    "http://user:password@example.com/",
    "http://example.com@127.0.0.1/",
    "http://@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http:\\\\example.com\\",
    "http://example.com /",
    " http://example.com/",
    "http://example.com/\n",
    "http://exam\tple.com/",
    "http://example.com/\r\nHost: other",
    "http://example.com/\x00",
    "http://example.com/\xa0",
    "http://[::1",
    "http://[::1]x/",
    "http://[127.0.0.1]/",
    "http://[v1.x]/",
    "http://[fe80::1%25eth0]/",
    "http://example.com:22/",
    "http://example.com:25/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://example.com:80:80/",
    "http://example.com:x/",
    "http://a..b/",
    "http://-a.com/",
    "http://exa$mple.com/",
    "http://" + "a" * 64 + ".com/",
    "http://example.com/" + "a" * 4_000,
]


@pytest.mark.parametrize(("text", "url", "host", "port"), READ)
def test_a_plain_address_is_read(text: str, url: str, host: str, port: int) -> None:
    address = read_address(text)

    assert (address.url, address.host, address.port) == (url, host, port)


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_that_could_be_read_two_ways_is_refused(text: str) -> None:
    with pytest.raises(WebError) as refusal:
        read_address(text)

    assert (refusal.value.code, refusal.value.transient) == ("address_not_allowed", False)


def test_reading_what_was_read_changes_nothing() -> None:
    for text, *_ in READ:
        once = read_address(text)
        assert read_address(once.url) == once


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "https://example.com/b"),
        ("b?c=d", "https://example.com/a/b?c=d"),
        ("//other.example/x", "https://other.example/x"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),  # plain; whether it is allowed comes after
    ],
)
def test_a_redirect_is_read_from_where_it_stands(location: str, url: str) -> None:
    assert follow(read_address("https://example.com/a/"), location).url == url


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://u@b/", "\\\\127.0.0.1\\x", "http://[", "/a b"]
)
def test_a_redirect_is_checked_like_any_address(location: str) -> None:
    with pytest.raises(WebError, match=r".") as refusal:
        follow(read_address("https://example.com/"), location)

    assert refusal.value.code == "address_not_allowed"
