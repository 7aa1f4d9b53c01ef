"""Where webhooks may go is looked at when the address is given; nothing here leaves loopback."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from shared.actions.refusals import Invalid
from shared.actions.webhook_address import require_address, webhook_guard
from shared.net.check_now import require_allowed
from shared.net.guard import Guard
from shared.net.refused import WebError
from shared.settings import Settings

BYPASSES = [
    "http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://0.0.0.0/", "http://[::]/",
    "http://10.0.0.1/", "http://172.16.3.4/", "http://192.168.1.1/", "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/", "http://224.0.0.1/",
    "http://[ff02::1]/", "http://[fe80::1]/", "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::127.0.0.1]/",
    "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/",
    "http://１２７.0.0.1/", "http://user@example.com/", "http://example.com\\@127.0.0.1/",
    "ftp://example.com/", "file:///etc/passwd", "//example.com/", "example.com", "http://",
    "http://example.com:22/", "http://exa mple.com/",
]  # fmt: skip


@dataclass
class Names:
    """A resolver that knows one answer, or none."""

    answer: Sequence[str] | None = None

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if self.answer is None:
            raise WebError("unreachable", f"{host} cannot be looked up.", transient=True)
        return self.answer


async def never(host: str, port: int) -> Sequence[str]:
    await asyncio.Event().wait()
    return ()


@pytest.mark.parametrize("url", BYPASSES)
def test_an_address_that_is_not_public_is_refused_and_the_setting_named(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        require_address(Settings(), url, "/url")

    assert refused.value.code == "address_not_allowed"
    [problem] = refused.value.problems
    assert problem.pointer == "/url"
    assert "APWA_ALLOW_NETWORKS" in problem.detail


@pytest.mark.parametrize("answer", [["10.1.2.3"], ["93.184.216.34", "127.0.0.1"]])
def test_a_name_that_leads_inside_is_refused(answer: list[str]) -> None:
    with pytest.raises(WebError) as refused:
        require_allowed("https://hooks.example/", Guard(resolve=Names(answer)))

    assert refused.value.code == "address_not_allowed"


@pytest.mark.parametrize("resolve", [Names(["93.184.216.34"]), Names(None), never])
def test_a_public_name_passes_and_so_does_one_that_cannot_be_looked_up_now(
    resolve: Names,
) -> None:
    require_allowed("https://hooks.example/", Guard(resolve=resolve), within_s=0.05)


@pytest.mark.parametrize(
    "settings",
    [Settings(webhook_loopback=True), Settings(allow_networks="127.0.0.0/8")],
)
def test_an_operator_can_allow_this_machine(settings: Settings) -> None:
    require_address(settings, "http://127.0.0.1:9000/", "/url")

    assert webhook_guard(settings).allowed


def test_loopback_alone_opens_nothing_else() -> None:
    with pytest.raises(Invalid):
        require_address(Settings(webhook_loopback=True), "http://10.0.0.1/", "/url")
