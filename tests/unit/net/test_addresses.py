"""Which IP addresses are public, wrapped and disguised ones included."""

import pytest

from shared.net.addresses import address_problem, parse_networks

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",  # how a host without IPv4 reaches 8.8.8.8
]
REFUSED = [
    "0.0.0.0",  # noqa: S104 - nothing is bound
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_connected_to(address: str) -> None:
    assert address_problem(address) is None


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_may_not(address: str) -> None:
    assert address_problem(address) is not None


@pytest.mark.parametrize(
    "text", ["", "localhost", "2130706433", "127.1", "0177.0.0.1", "1.1.1.1/8"]
)
def test_what_is_no_address_may_not_be_connected_to(text: str) -> None:
    assert address_problem(text) is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "fd00::7"])
def test_an_allowed_network_may_be_reached_wrapped_or_not(address: str) -> None:
    assert address_problem(address, parse_networks("127.0.0.0/8, fd00::/8")) is None


@pytest.mark.parametrize("address", ["10.0.0.1", "::1", "fe80::1", "169.254.169.254"])
def test_allowing_one_network_allows_no_other(address: str) -> None:
    assert address_problem(address, parse_networks("127.0.0.0/8")) is not None


@pytest.mark.parametrize("text", ["127.0.0.1/8", "10.0.0.0/33", "example.com"])
def test_a_list_with_something_else_than_networks_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_networks(text)


def test_an_empty_list_allows_nothing() -> None:
    assert parse_networks(" , ") == ()
