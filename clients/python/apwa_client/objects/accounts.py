"""Keys, projects, usage, the audit log, and model endpoints."""

from typing import Any, TypedDict


class KeyObject(TypedDict, total=False):
    """An API key; `secret` is there once, when it was just made."""

    id: str
    project: str
    name: str
    scopes: list[str]
    role: str | None
    status: str
    requests_per_minute: int | None
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    rotated_at: str | None
    former_secret_until: str | None
    revoked_at: str | None
    links: dict[str, str]
    secret: str | None


class ProjectObject(TypedDict, total=False):
    """A project; `quotas` are those in force, 0 for no limit."""

    id: str
    name: str
    weight: int
    allow_external: bool
    tools: list[str] | None
    quotas: dict[str, int]
    own_quotas: list[str]
    default_budget: dict[str, Any]
    budget: dict[str, Any]
    created_at: str
    links: dict[str, str]


class UsageGroupObject(TypedDict, total=False):
    """What one group used; money in millionths of a US dollar."""

    group: str | None
    jobs: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_microusd: int
    cost_unknown_microusd: int
    cache_hits: int


class AuditEntryObject(TypedDict, total=False):
    """Who did what to which object."""

    id: str
    at: str
    project: str
    actor: str
    action: str
    object: str
    detail: dict[str, Any]


class ModelObject(TypedDict, total=False):
    """A configured model endpoint."""

    name: str
    model: str
    base_url: str | None
    own: bool
    serves: list[str]
    fallback: str | None
    context_tokens: int
    limits: dict[str, Any]
    prices: dict[str, Any] | None
    abilities: Any
    state: dict[str, Any]


class CapabilityObject(TypedDict, total=False):
    """What workers can run."""

    name: str
    version: str
    description: str
    params: dict[str, Any]
    units: list[str]
    queue: str
    runs: str
    effects: str
    emits: str
    output: dict[str, Any] | None
    computed_output: bool
    reusable: bool
    reads: str
