"""Takes in what a sender posts to /hooks: verified, told apart from repeats, stored."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.actions.refusals import NotFound, Refusal
from shared.database import trigger_deliveries, triggers
from shared.database.engine import Connection, Engine
from shared.database.trigger_deliveries import RawEvent
from shared.database.triggers import TriggerRecord
from shared.domain.hook_match import unmet
from shared.domain.hook_scheme import (
    Refused,
    Verified,
    is_ping,
    scheme_of,
    secret_headers,
    verify,
)
from shared.domain.ids import new_id
from shared.log import get_logger
from shared.secret_box import SecretBox

_LONGEST_ID = 255  # shown of what a sender calls its delivery


class HookRefused(Refusal):
    """The post does not come from who knows the secret, or comes too late."""

    def __init__(self, reason: str) -> None:
        super().__init__("unauthorized", reason)


@dataclass(frozen=True, slots=True)
class Received:
    """A stored delivery, the first one where it came before."""

    delivery_id: str
    status: str
    duplicate: bool


def find_hook(connection: Connection, trigger_id: str) -> TriggerRecord:
    """Return a trigger that takes deliveries; raises NotFound, for a disabled one too."""
    found = triggers.find(connection, trigger_id)
    if found is None or not found.enabled:
        raise NotFound("trigger")
    return found


def receive_hook(
    engine: Engine, box: SecretBox, trigger: TriggerRecord, headers: Mapping[str, str],
    body: bytes, parse: Callable[[bytes], Any],
) -> Received:  # fmt: skip
    """Store a delivery and return it; jobs are made of it later, by `take_delivery`.

    `parse` reads JSON and raises what the door answers to others. Raises HookRefused, and
    SecretsNotConfigured or SecretUnreadable.
    """
    verdict = check_hook(box, trigger, headers, body)
    if isinstance(verdict, Refused):
        get_logger(trigger_id=trigger.id).info("hook_refused", reason=verdict.reason)
        raise HookRefused(verdict.reason)
    ignored = why_ignored(trigger, headers, parse(body))
    dedup = hashlib.sha256(verdict.sender_id.encode(errors="replace")).hexdigest()
    delivery_id = new_id("dlv")
    event = RawEvent(_kept(trigger, headers), body)
    with engine.begin() as tx:
        new = trigger_deliveries.insert(
            tx, delivery_id, trigger.id, dedup=dedup, event=event, ignored=ignored,
            sender_id=_shown(verdict.sender_id),
        )  # fmt: skip
        if new:
            return Received(delivery_id, "pending" if ignored is None else "ignored", False)
        first = trigger_deliveries.find_by_dedup(tx, trigger.id, dedup)
    if first is None:  # deleted with its trigger since
        raise NotFound("trigger")
    return Received(first.id, first.status, True)


def check_hook(
    box: SecretBox, trigger: TriggerRecord, headers: Mapping[str, str], body: bytes
) -> Verified | Refused:
    """Verify against the secret, and against the one before while both hold."""
    now = datetime.now(UTC)
    sealed = [trigger.secret]
    if trigger.former_secret and trigger.former_until and now < trigger.former_until:
        sealed.append(trigger.former_secret)
    scheme = scheme_of(trigger.scheme, trigger.options)
    return verify(scheme, [box.open(one) for one in sealed], headers, body, now.timestamp())


def why_ignored(
    trigger: TriggerRecord, headers: Mapping[str, str], payload: Any
) -> dict[str, Any] | None:
    """Return why no job is made of a genuine delivery; None when one is."""
    if is_ping(trigger.scheme, headers, payload):
        return {"code": "ping", "detail": "The sender only asks whether somebody answers."}
    places = unmet(trigger.conditions, headers, payload)
    if not places:
        return None
    told = ", ".join(f"/when/{place}" for place in places)
    return {"code": "no_match", "detail": f"Conditions that do not hold: {told}."}


def _kept(trigger: TriggerRecord, headers: Mapping[str, str]) -> dict[str, str]:
    secret = secret_headers(scheme_of(trigger.scheme, trigger.options))
    return {
        name: _clean(value) for name, value in headers.items() if name not in secret
    }  # fmt: skip


def _shown(sender_id: str) -> str:
    return _clean(sender_id[:_LONGEST_ID])


def _clean(text: str) -> str:
    """Replace what PostgreSQL cannot hold: headers are Latin-1, and anybody may post."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
