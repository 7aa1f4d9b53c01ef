"""Webhooks out, and triggers."""

from typing import Any, TypedDict


class EndpointObject(TypedDict, total=False):
    """A receiver of webhooks; `secret` is there when it was just made."""

    id: str
    url: str
    events: list[str]
    description: str
    job: str | None
    status: str
    status_reason: Any
    disabled_at: str | None
    failing_since: str | None
    former_secret_until: str | None
    created_at: str
    secret: str | None


class SecretObject(TypedDict, total=False):
    """What webhooks are signed with."""

    secret: str | None
    former_secret_until: str | None
    rotated_at: str | None


class DeliveryObject(TypedDict, total=False):
    """One event for one endpoint; `body` and `tries` come with a single one only."""

    id: str
    endpoint: str
    job: str | None
    webhook_id: str
    type: str
    status: str
    attempts: int
    response_status: int | None
    error: Any
    next_attempt_at: str | None
    created_at: str
    finished_at: str | None
    body: str | None
    tries: list[dict[str, Any]]


class TriggerObject(TypedDict, total=False):
    """A trigger; `links.hook` is where the sender posts."""

    id: str
    name: str
    enabled: bool
    scheme: str
    options: dict[str, Any]
    secret: dict[str, str | None]
    when: list[dict[str, Any]]
    job: dict[str, Any] | None
    mapping: dict[str, Any] | None
    records: dict[str, Any] | None
    limits: dict[str, Any]
    created_at: str
    updated_at: str
    links: dict[str, str]


class TriggerDeliveryObject(TypedDict, total=False):
    """What a sender posted and what came of it; headers and body with a single one only."""

    id: str
    trigger: str
    sender_id: str | None
    status: str
    reason: dict[str, Any] | None
    job: str | None
    records: dict[str, int] | None
    replay_of: str | None
    tries: int
    size_bytes: int
    received_at: str
    settled_at: str | None
    erased_at: str | None
    headers: dict[str, str] | None
    body: str | None
