"""Webhooks are believed only when their signature holds, now."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from apwa_client.webhooks import WebhookInvalid, sign, verify

# The vector of the standard's own reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = b'{"test": 2432232314}'
NOW = 1614265330
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(NOW),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_the_vector_of_the_standard_holds() -> None:
    assert verify(SECRET, HEADERS, BODY, now=NOW) == {"test": 2432232314}
    assert sign(SECRET, HEADERS["webhook-id"], NOW, BODY) == HEADERS


def test_what_the_reference_package_signs_holds() -> None:
    at = datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", at, BODY.decode())
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": signature,
    }

    assert verify(SECRET, headers, BODY.decode())


def test_one_of_several_signatures_is_enough_while_the_sender_rotates() -> None:
    old = sign(OTHER, "msg_1", NOW, BODY)["webhook-signature"]
    new = sign(SECRET, "msg_1", NOW, BODY)["webhook-signature"]
    headers = HEADERS | {"webhook-id": "msg_1", "webhook-signature": f"v1a,x= {old} {new}"}

    assert verify(SECRET, headers, BODY, now=NOW)


def test_one_of_several_secrets_is_enough_while_the_receiver_rotates() -> None:
    assert verify([OTHER, SECRET], HEADERS, BODY, now=NOW)


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        (HEADERS, BODY + b" ", NOW),
        (HEADERS, BODY, NOW + 301),
        (HEADERS, BODY, NOW - 301),
        (HEADERS | {"webhook-id": "msg_2"}, BODY, NOW),
        (HEADERS | {"webhook-timestamp": str(NOW + 1)}, BODY, NOW),
        (HEADERS | {"webhook-timestamp": "soon"}, BODY, NOW),
        (HEADERS | {"webhook-timestamp": "1" * 5_000}, BODY, NOW),
        (HEADERS | {"webhook-id": "msg_\udcff"}, BODY, NOW),
        (HEADERS | {"webhook-timestamp": "١٢"}, BODY, NOW),
        (HEADERS | {"webhook-signature": ""}, BODY, NOW),
        (HEADERS | {"webhook-signature": "v1,"}, BODY, NOW),
        (HEADERS | {"webhook-signature": "v1,!!"}, BODY, NOW),
        (HEADERS | {"webhook-signature": HEADERS["webhook-signature"].replace("v1", "v2")},
         BODY, NOW),
        ({}, BODY, NOW),
    ],
)  # fmt: skip
def test_a_webhook_that_was_changed_or_is_old_is_refused(
    headers: dict[str, str], body: bytes, now: float
) -> None:
    with pytest.raises(WebhookInvalid):
        verify(SECRET, headers, body, now=now)


def test_another_secret_does_not_fit() -> None:
    with pytest.raises(WebhookInvalid, match="no signature fits"):
        verify(OTHER, HEADERS, BODY, now=NOW)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", ""])
def test_a_secret_that_is_none_is_a_mistake_of_the_receiver(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify(secret, HEADERS, BODY, now=NOW)
