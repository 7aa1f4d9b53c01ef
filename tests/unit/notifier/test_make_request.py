"""What a delivery becomes on the wire."""

from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from services.notifier.make_request import make_request
from shared.database.deliveries import Claimed
from shared.domain.webhook_signature import new_secret
from shared.secret_box import SecretBox, SecretsNotConfigured, SecretUnreadable

KEY = "k" * 32
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def claimed(*secrets: str, key: str = KEY, **more: Any) -> Claimed:
    box = SecretBox(key)
    values: dict[str, Any] = {
        "id": "dlv_1", "fence": 1, "project_id": "prj_1", "endpoint_id": "whe_1",
        "event_id": "evt_1", "type": "ping", "body": '{"type":"ping","data":{}}',
        "request_id": None, "traceparent": None, "tries": 0, "url": "https://x.example/hook",
        "disabled": False, "sealed": tuple(box.seal(one) for one in secrets),
        "now": datetime.now(UTC),
    }  # fmt: skip
    return Claimed(**{**values, **more})


def test_it_verifies_with_the_opened_secret_and_is_not_followed_anywhere() -> None:
    secret = new_secret()

    made = make_request(claimed(secret), "https://x.example/hook", SecretBox(KEY), 3.0)

    assert Webhook(secret).verify(made.body or b"", dict(made.headers)) == {
        "type": "ping",
        "data": {},
    }
    assert (made.method, made.redirects, made.wall_s, made.cut) == ("POST", 0, 3.0, True)
    assert made.headers["webhook-id"] == "evt_1"


def test_the_time_is_the_databases() -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)

    made = make_request(claimed(new_secret(), now=at), "https://x.example/", SecretBox(KEY), 3.0)

    assert made.headers["webhook-timestamp"] == str(int(at.timestamp()))


def test_the_jobs_request_and_trace_go_along() -> None:
    delivery = claimed(new_secret(), request_id="req_7", traceparent=TRACE)

    made = make_request(delivery, "https://x.example/", SecretBox(KEY), 3.0)

    assert (made.headers["X-Request-Id"], made.headers["traceparent"]) == ("req_7", TRACE)


def test_without_the_key_nothing_is_signed() -> None:
    delivery = claimed(new_secret(), key="other" * 10)

    with pytest.raises(SecretUnreadable):
        make_request(delivery, "https://x.example/", SecretBox(KEY), 3.0)
    with pytest.raises(SecretsNotConfigured):
        make_request(delivery, "https://x.example/", SecretBox(""), 3.0)
