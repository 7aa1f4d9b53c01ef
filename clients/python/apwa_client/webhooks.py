"""Verifies webhooks of APWA (Standard Webhooks) with the standard library alone."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from apwa_client.errors import ApwaError

TOLERANCE_S = 300
_PREFIX = "whsec_"
_VERSION = "v1"


class WebhookInvalid(ApwaError):
    """The request was not sent by who holds the secret, not now, or was changed on its way."""


def verify(
    secret: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> dict[str, Any]:
    """Return the payload of a webhook whose signature holds; raises WebhookInvalid.

    `body` is the raw body, before any parsing. `secret`: one, or several while yours rotate;
    the header may carry several signatures while the sender's rotate. Any pair that fits does.
    """
    raw = body.encode() if isinstance(body, str) else bytes(body)
    given = {name.lower(): value for name, value in headers.items()}
    message_id, stamp, signatures = (
        _required(given, name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    _check_time(stamp, time.time() if now is None else now, tolerance_s)
    secrets = [secret] if isinstance(secret, str) else list(secret)
    expected = [_signature(one, message_id, stamp, raw) for one in secrets]
    if not _any_fits(expected, signatures.split()):
        raise WebhookInvalid("no signature fits")
    try:
        payload = json.loads(raw)
    except ValueError as error:
        raise WebhookInvalid("the body is not JSON") from error
    if not isinstance(payload, dict):
        raise WebhookInvalid("the body is no JSON object")
    return payload


def sign(secret: str, message_id: str, timestamp: int, body: bytes | str) -> dict[str, str]:
    """Return the headers of a webhook: what a test of a receiver sends."""
    raw = body.encode() if isinstance(body, str) else bytes(body)
    signature = base64.b64encode(_signature(secret, message_id, str(timestamp), raw)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"{_VERSION},{signature}",
    }


def _required(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise WebhookInvalid(f"the header {name} is missing")
    return value


def _check_time(stamp: str, now: float, tolerance_s: float) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 20):  # int() of thousands raises
        raise WebhookInvalid("webhook-timestamp is no number of seconds")
    if abs(now - int(stamp)) > tolerance_s:
        raise WebhookInvalid("webhook-timestamp is too far from now")


def _signature(secret: str, message_id: str, stamp: str, raw: bytes) -> bytes:
    # Frameworks hand over bytes of a header that are not UTF-8 as escaped surrogates.
    signed = f"{message_id}.{stamp}.".encode("utf-8", "surrogateescape") + raw
    return hmac.new(_key(secret), signed, hashlib.sha256).digest()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the secret is not base64 after whsec_") from error
    if not key:
        raise ValueError("the secret is empty")
    return key


def _any_fits(expected: Sequence[bytes], given: Sequence[str]) -> bool:
    """Compare every pair, so that the time taken does not tell which one was near."""
    fits = False
    for text in given:
        version, _, encoded = text.partition(",")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            continue
        for one in expected:
            fits |= hmac.compare_digest(one, signature) and version == _VERSION
    return fits
