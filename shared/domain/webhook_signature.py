"""Signatures of Standard Webhooks: HMAC-SHA256 over id, timestamp and body."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every such secret begins
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a new secret: ``whsec_`` and 32 random bytes in base 64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signatures(keys: Iterable[str], message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one ``v1,...`` for each secret, blanks between."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return " ".join(f"v1,{_mac(key, signed)}" for key in keys)


def _mac(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
