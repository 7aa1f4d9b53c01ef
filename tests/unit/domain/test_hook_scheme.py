"""Every scheme of senders: what is genuine passes, what is anything else does not."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from shared.domain import hook_scheme
from shared.domain.hook_scheme import (
    STALE_S,
    Refused,
    Scheme,
    Verified,
    is_ping,
    scheme_of,
    secret_headers,
    secret_problem,
    sign,
    verify,
)

NOW = 1_700_000_000
BODY = json.dumps({"id": "evt_1", "n": 1}).encode()
PLAIN = "a plain secret of a test"
STANDARD = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
OTHER = {
    "standard": "whsec_" + base64.b64encode(b"another key of a sender!").decode(),
    "plain": "quite another plain secret",
}
SIGNED = {
    "standard": scheme_of("standard", {}),
    "github": scheme_of("github", {}),
    "stripe": scheme_of("stripe", {}),
    "hmac": scheme_of("hmac", {}),
    "hmac with time": scheme_of(
        "hmac",
        {
            "header": "X-Sig",
            "prefix": "v0=",
            "algorithm": "sha512",
            "encoding": "base64",
            "timestamp_header": "X-Time",
            "id_header": "X-Id",
        },
    ),
}
EVERY = SIGNED | {
    "token": scheme_of("token", {}),
    "named token": scheme_of("token", {"header": "X-Gitlab-Token", "id_header": "X-Id"}),
}
STAMPED = [name for name in SIGNED if name in ("standard", "stripe", "hmac with time")]
every = pytest.mark.parametrize("name", EVERY)


def secret_of(scheme: Scheme) -> str:
    return STANDARD if scheme.kind == "standard" else PLAIN


def other_of(scheme: Scheme) -> str:
    return OTHER["standard" if scheme.kind == "standard" else "plain"]


def signed(scheme: Scheme, body: bytes = BODY, now: int = NOW, id_: str = "one") -> dict[str, str]:
    return sign(scheme, secret_of(scheme), body, now, id_)


def check(scheme: Scheme, headers: dict[str, str], body: bytes = BODY, now: float = NOW) -> Any:
    return verify(scheme, [secret_of(scheme)], headers, body, now)


@every
def test_what_a_genuine_sender_posts_is_taken(name: str) -> None:
    assert isinstance(check(EVERY[name], signed(EVERY[name])), Verified)


@pytest.mark.parametrize("name", SIGNED)
def test_a_changed_byte_is_refused(name: str) -> None:
    headers = signed(SIGNED[name])

    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert isinstance(check(SIGNED[name], headers, changed), Refused)


@every
def test_another_secret_is_refused(name: str) -> None:
    scheme = EVERY[name]
    found = verify(scheme, [other_of(scheme)], signed(scheme), BODY, NOW)
    assert isinstance(found, Refused)


@every
def test_every_missing_or_empty_header_is_refused_by_name(name: str) -> None:
    headers = signed(EVERY[name])

    for missing in headers:
        rest = {one: value for one, value in headers.items() if one != missing}
        for sent in (rest, {**rest, missing: ""}):
            found = check(EVERY[name], sent)
            assert isinstance(found, Refused)
            assert missing in found.reason


@pytest.mark.parametrize("name", STAMPED)
def test_what_is_older_than_five_minutes_or_from_the_future_is_stale(name: str) -> None:
    headers = signed(SIGNED[name])

    for now in (NOW - STALE_S, NOW, NOW + STALE_S):
        assert isinstance(check(SIGNED[name], headers, now=now), Verified)
    for now in (NOW - STALE_S - 1, NOW + STALE_S + 1):
        assert isinstance(check(SIGNED[name], headers, now=now), Refused)


@pytest.mark.parametrize("name", STAMPED)
def test_a_timestamp_is_part_of_what_is_signed(name: str) -> None:
    headers = {
        one: value.replace(str(NOW), str(NOW + 9_999))
        for one, value in signed(SIGNED[name]).items()
    }
    assert isinstance(check(SIGNED[name], headers, now=NOW + 9_999), Refused)


@pytest.mark.parametrize("stamp", ["", "soon", "-5", "1e9", "٣٣٣", str(NOW) + "0" * 20])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(stamp: str) -> None:
    scheme = scheme_of("stripe", {})
    content = f"{stamp}.".encode() + BODY
    mac = hmac.new(PLAIN.encode(), content, hashlib.sha256).hexdigest()
    assert isinstance(check(scheme, {"stripe-signature": f"t={stamp},v1={mac}"}), Refused)


@every
def test_both_secrets_hold_while_they_overlap(name: str) -> None:
    scheme = EVERY[name]
    both = [other_of(scheme), secret_of(scheme)]
    assert isinstance(verify(scheme, both, signed(scheme), BODY, NOW), Verified)


@pytest.mark.parametrize("name", ["standard", "stripe"])
def test_one_of_several_signatures_is_enough(name: str) -> None:
    scheme = SIGNED[name]
    new, old = signed(scheme), sign(scheme, other_of(scheme), BODY, NOW, "one")
    if name == "standard":
        old["webhook-signature"] += " v1a,xyz " + new["webhook-signature"]
    else:
        old["stripe-signature"] += ",v0=xyz,v1=" + new["stripe-signature"].partition("v1=")[2]
    assert isinstance(check(scheme, old), Verified)


def test_every_signature_is_compared_in_full_with_every_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def noting(one: bytes, two: bytes) -> bool:
        compared.append((one, two))
        return hmac.compare_digest(one, two)

    class Noting:
        compare_digest, new = staticmethod(noting), hmac.new

    monkeypatch.setattr(hook_scheme, "hmac", Noting)
    for name, scheme in EVERY.items():
        compared.clear()
        secrets = [secret_of(scheme), other_of(scheme)]
        assert isinstance(verify(scheme, secrets, signed(scheme), BODY, NOW), Verified)
        assert len(compared) == 2, name  # the first one matched, and the second was looked at
        assert len({len(part) for pair in compared for part in pair}) == 1


def test_the_package_of_standard_webhooks_agrees_both_ways() -> None:
    scheme, hook = SIGNED["standard"], Webhook(STANDARD)
    at = datetime.now(UTC)
    theirs = hook.sign("msg_1", at, BODY.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": theirs,
    }
    found = verify(scheme, [STANDARD], headers, BODY, at.timestamp())
    assert found == Verified("msg_1")
    ours = sign(scheme, STANDARD, BODY, int(at.timestamp()), "msg_2")
    assert hook.verify(BODY, ours) == json.loads(BODY)


def test_the_signature_githubs_documentation_gives_is_the_one_we_expect() -> None:
    scheme = SIGNED["github"]
    sent = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": f"sha256={sent}", "x-github-delivery": "d-1"}
    found = verify(scheme, ["It's a Secret to Everybody"], headers, b"Hello, World!", NOW)
    assert found == Verified("d-1")


@pytest.mark.parametrize(
    ("name", "id_"),
    [("standard", "one"), ("github", "one"), ("stripe", "evt_1"), ("named token", "one")],
)
def test_a_delivery_is_known_by_what_the_sender_calls_it(name: str, id_: str) -> None:
    assert check(EVERY[name], signed(EVERY[name])) == Verified(id_)


@pytest.mark.parametrize("body", [BODY, b"[1]", b"{", b'{"id": 5}', b'{"id": ""}'])
def test_without_an_id_the_bytes_of_the_body_tell_deliveries_apart(body: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    for name in ("hmac", "token") if body == BODY else ("stripe", "hmac"):
        found = check(EVERY[name], signed(EVERY[name], body), body)
        assert found == Verified(digest)


def test_a_token_is_told_with_and_without_bearer_and_never_stored() -> None:
    scheme = EVERY["token"]
    assert signed(scheme) == {"authorization": f"Bearer {PLAIN}"}
    for sent in (PLAIN, f"bearer  {PLAIN} "):
        assert isinstance(check(scheme, {"authorization": sent}), Verified)
    assert isinstance(check(scheme, {"authorization": PLAIN[:-1]}), Refused)
    assert "x-gitlab-token" in secret_headers(EVERY["named token"])
    assert "authorization" in secret_headers(SIGNED["github"])


def test_a_prefix_that_is_missing_matches_nothing() -> None:
    headers = signed(SIGNED["github"])
    bare = headers["x-hub-signature-256"].removeprefix("sha256=")
    assert isinstance(check(SIGNED["github"], {**headers, "x-hub-signature-256": bare}), Refused)


def test_secrets_that_could_be_guessed_or_not_be_used_are_refused() -> None:
    assert secret_problem("standard", STANDARD) is None
    assert secret_problem("github", PLAIN) is None
    for bad in ("whsec_short", "whsec_" + base64.b64encode(b"short").decode(), "no base 64!!"):
        assert secret_problem("standard", bad)
    for bad in ("short", " " + PLAIN, PLAIN + "\n", "ä" * 20):
        assert secret_problem("hmac", bad)


def test_a_ping_is_one_by_what_its_sender_says() -> None:
    assert is_ping("github", {"x-github-event": "ping"}, {"zen": "..."})
    assert is_ping("standard", {}, {"type": "ping"})
    assert not is_ping("github", {"x-github-event": "issues"}, {"type": "ping"})
    assert not is_ping("stripe", {}, {"type": "ping"})
