"""Signatures a stranger's library accepts, waits that grow, bodies of one form."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from shared.domain.webhook import event_body, next_delay_s
from shared.domain.webhook_signature import new_secret, signatures

DELAYS = (0.0, 5.0, 300.0)
NO_JITTER = 0.5
BODY = b'{"type":"job.finished","data":{"text":"\xc3\xa4"}}'


def headers(*secrets: str, message_id: str = "evt_1", body: bytes = BODY) -> dict[str, str]:
    now = int(datetime.now(UTC).timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signatures(secrets, message_id, now, body),
    }


def test_a_signature_is_what_standard_webhooks_expects() -> None:
    secret = new_secret()

    assert Webhook(secret).verify(BODY, headers(secret)) == json.loads(BODY)


@pytest.mark.parametrize("change", ["body", "id", "secret"])
def test_a_signature_holds_for_nothing_else(change: str) -> None:
    secret = new_secret()
    sent = headers(secret)
    body = BODY + b" " if change == "body" else BODY
    if change == "id":
        sent["webhook-id"] = "evt_2"
    verifier = Webhook(new_secret() if change == "secret" else secret)

    with pytest.raises(WebhookVerificationError):
        verifier.verify(body, sent)


def test_while_rotating_either_secret_verifies() -> None:
    new, former = new_secret(), new_secret()
    sent = headers(new, former)

    assert len(sent["webhook-signature"].split(" ")) == 2
    assert Webhook(new).verify(BODY, sent) == Webhook(former).verify(BODY, sent)


def test_secrets_are_long_and_never_the_same() -> None:
    made = {new_secret() for _ in range(100)}

    assert len(made) == 100
    assert all(one.startswith("whsec_") and len(one) > 40 for one in made)


@pytest.mark.parametrize(("tries", "delay"), [(1, 5.0), (2, 300.0), (3, None), (4, None)])
def test_the_next_try_comes_after_the_next_delay_until_there_is_none(
    tries: int, delay: float | None
) -> None:
    assert next_delay_s(DELAYS, tries, None, NO_JITTER) == delay


@pytest.mark.parametrize(("luck", "delay"), [(0.0, 270.0), (1.0, 330.0)])
def test_a_delay_varies_by_a_tenth(luck: float, delay: float) -> None:
    assert next_delay_s(DELAYS, 2, None, luck) == pytest.approx(delay)


@pytest.mark.parametrize(
    ("asked", "delay"), [(1.0, 5.0), (60.0, 60.0), (86_400.0, 300.0), (0.0, 5.0)]
)
def test_retry_after_lengthens_a_delay_within_reason(asked: float, delay: float) -> None:
    assert next_delay_s(DELAYS, 1, asked, NO_JITTER) == delay


def test_retry_after_gives_no_more_tries() -> None:
    assert next_delay_s(DELAYS, 3, 10.0, NO_JITTER) is None


def test_a_body_has_type_time_and_data() -> None:
    at = datetime(2030, 1, 2, 3, 4, 5, 678_900, timezone(timedelta(hours=2)))

    assert event_body("job.finished", at, {"a": 1}) == {
        "type": "job.finished",
        "timestamp": "2030-01-02T01:04:05.678Z",
        "data": {"a": 1},
    }
