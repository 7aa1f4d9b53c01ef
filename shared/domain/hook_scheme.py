"""How senders of webhooks prove who they are: verified on the raw bytes, in constant time."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.webhook_signature import SECRET_PREFIX, signatures

SCHEMES = ("standard", "github", "stripe", "hmac", "token")
STALE_S = 300  # either way: clocks differ
_DIGESTS = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme and, for `hmac` and `token`, where the sender puts what; header names in lower case.

    `id_header` holds what tells its deliveries apart; without one the bytes of the body do.
    """

    kind: str
    header: str = ""  # of the signature, or of the token
    prefix: str = ""  # before the signature, as `sha256=`
    algorithm: str = "sha256"
    encoding: str = "hex"  # or base64
    timestamp_header: str | None = None  # seconds; then `timestamp.body` is what is signed
    id_header: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """It comes from who knows the secret; `sender_id` is the same whenever it is sent again."""

    sender_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not taken; `reason` is a sentence that helps the owner and no forger."""

    reason: str


_NO_MATCH = Refused("The signature does not match the body and any secret of this trigger.")


def scheme_of(kind: str, options: Mapping[str, Any]) -> Scheme:
    """Return the scheme with the options of a trigger's document, defaults filled in."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("header", "timestamp_header", "id_header"):
        if name in given:
            given[name] = given[name].lower()
    if kind in ("hmac", "token"):
        default = "x-signature" if kind == "hmac" else "authorization"
        return Scheme(kind, **{"header": default, **given})
    return Scheme(kind)


def verify(
    scheme: Scheme, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float
) -> Verified | Refused:
    """Check a delivery; `headers` by names in lower case, `now` in Unix seconds.

    Every secret is tried in full, so the time taken does not tell which one was near.
    """
    missing = [name for name in _required(scheme) if not headers.get(name)]
    if missing:
        return Refused(f"The header {missing[0]} is missing.")
    if scheme.kind == "token":
        genuine = _token_matches(scheme, secrets, headers[scheme.header])
        return _known(scheme, headers, body) if genuine else Refused("The token is not this one.")
    sent, stamp, content = _parts(scheme, headers, body)
    expected = [_signature(scheme, secret, content) for secret in secrets]
    matches = [hmac.compare_digest(one, two) for one in expected for two in sent]
    if not any(matches):
        return _NO_MATCH
    if stamp is not None and not _is_fresh(stamp, now):
        return Refused(f"The timestamp is more than {STALE_S} s away from now.")
    return _known(scheme, headers, body)


def sign(scheme: Scheme, secret: str, body: bytes, now: int, delivery_id: str) -> dict[str, str]:
    """Return the headers a genuine sender would add to `body`; names in lower case."""
    named = {scheme.id_header: delivery_id} if scheme.id_header else {}
    if scheme.kind == "token":
        return {scheme.header: _bearer(scheme) + secret, **named}
    if scheme.kind == "github":
        return {
            "x-hub-signature-256": "sha256=" + _signature(scheme, secret, body).decode(),
            "x-github-delivery": delivery_id,
        }
    stamped = f"{now}.".encode() + body
    if scheme.kind == "stripe":
        return {"stripe-signature": f"t={now},v1={_signature(scheme, secret, stamped).decode()}"}
    if scheme.kind == "standard":
        return {
            "webhook-id": delivery_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signatures([secret], delivery_id, now, body),
        }
    content = body
    if scheme.timestamp_header:
        named[scheme.timestamp_header] = str(now)
        content = stamped
    return {scheme.header: scheme.prefix + _signature(scheme, secret, content).decode(), **named}


def secret_problem(kind: str, secret: str) -> str | None:
    """Return what is wrong with a secret for this scheme, None when it can be used."""
    if kind == "standard":
        try:
            enough = len(_standard_key(secret)) >= 16
        except ValueError:
            enough = False
        return None if enough else "Write `whsec_` and base64 of 16 bytes or more."
    if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        return "Use visible ASCII characters."
    return None if len(secret) >= 16 else "Use 16 characters or more."


def is_ping(kind: str, headers: Mapping[str, str], payload: Any) -> bool:
    """Return True for what a sender posts only to see whether somebody answers."""
    if kind == "github":
        return headers.get("x-github-event") == "ping"
    return kind == "standard" and isinstance(payload, dict) and payload.get("type") == "ping"


def secret_headers(scheme: Scheme) -> frozenset[str]:
    """Return the headers that are never stored."""
    own = {scheme.header} if scheme.kind == "token" else set()
    return frozenset({"authorization", "proxy-authorization", "cookie"} | own)


def _required(scheme: Scheme) -> tuple[str, ...]:
    if scheme.kind == "standard":
        return "webhook-id", "webhook-timestamp", "webhook-signature"
    if scheme.kind == "github":
        return "x-hub-signature-256", "x-github-delivery"
    if scheme.kind == "stripe":
        return ("stripe-signature",)
    named = (scheme.header, scheme.timestamp_header, scheme.id_header)
    return tuple(name for name in named if name)


def _parts(
    scheme: Scheme, headers: Mapping[str, str], body: bytes
) -> tuple[list[bytes], str | None, bytes]:
    """Return the signatures sent, the timestamp (None: the scheme has none), what is signed."""
    if scheme.kind == "github":
        return [_after("sha256=", headers["x-hub-signature-256"])], None, body
    if scheme.kind == "standard":
        stamp = headers["webhook-timestamp"]
        content = f"{headers['webhook-id']}.{stamp}.".encode(errors="replace") + body
        found = headers["webhook-signature"].split()
        return [_after("v1,", one) for one in found if one.startswith("v1,")], stamp, content
    if scheme.kind == "stripe":
        pairs = [part.strip().partition("=") for part in headers["stripe-signature"].split(",")]
        stamp = next((value for name, _, value in pairs if name == "t"), "")
        sent = [value.encode(errors="replace") for name, _, value in pairs if name == "v1"]
        return sent, stamp, f"{stamp}.".encode(errors="replace") + body
    given = [_after(scheme.prefix, headers[scheme.header].strip())]
    if scheme.timestamp_header is None:
        return given, None, body
    stamp = headers[scheme.timestamp_header]
    return given, stamp, f"{stamp}.".encode(errors="replace") + body


def _signature(scheme: Scheme, secret: str, content: bytes) -> bytes:
    key = _standard_key(secret) if scheme.kind == "standard" else secret.encode()
    made = hmac.new(key, content, _DIGESTS[scheme.algorithm])
    if scheme.kind == "standard" or scheme.encoding == "base64":
        return base64.b64encode(made.digest())
    return made.hexdigest().encode()


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _after(prefix: str, text: str) -> bytes:
    """Return what stands after the prefix; nothing where it is missing, which matches nothing."""
    return text[len(prefix) :].encode(errors="replace") if text.startswith(prefix) else b""


def _token_matches(scheme: Scheme, secrets: Sequence[str], sent: str) -> bool:
    """Compare digests, so that not even the length of a token is told by the time taken."""
    bearer = _bearer(scheme)
    given = sent.strip()
    if given[: len(bearer)].lower() == bearer.lower():
        given = given[len(bearer) :].strip()
    digest = hashlib.sha256(given.encode(errors="replace")).digest()
    known = [hashlib.sha256(secret.encode()).digest() for secret in secrets]
    return any([hmac.compare_digest(digest, one) for one in known])  # noqa: C419 - all of them


def _bearer(scheme: Scheme) -> str:
    return "Bearer " if scheme.header == "authorization" else ""


def _is_fresh(stamp: str, now: float) -> bool:
    return bool(_SECONDS.fullmatch(stamp)) and abs(now - int(stamp)) <= STALE_S


def _known(scheme: Scheme, headers: Mapping[str, str], body: bytes) -> Verified:
    named = {"standard": "webhook-id", "github": "x-github-delivery"}.get(
        scheme.kind, scheme.id_header
    )
    if named:
        return Verified(headers[named])
    event_id = _event_id(body) if scheme.kind == "stripe" else None
    return Verified(event_id or f"sha256:{hashlib.sha256(body).hexdigest()}")


def _event_id(body: bytes) -> str | None:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = event.get("id") if isinstance(event, dict) else None
    return found if isinstance(found, str) and found else None
