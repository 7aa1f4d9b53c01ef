"""Keys, projects, usage, models and audit entries as JSON objects."""

from datetime import UTC, datetime
from typing import Any

from services.api.answers import moment
from shared.actions.actor import ROLES
from shared.actions.quotas import deployment_quotas
from shared.database.audit import AuditEntry
from shared.database.keys import KeyRecord
from shared.database.projects import ProjectRecord
from shared.domain.budget import Budget
from shared.llm.endpoints import Endpoint, Endpoints
from shared.llm.prices import token_prices
from shared.llm.state import EndpointState
from shared.settings import Settings


def key_object(key: KeyRecord) -> dict[str, Any]:
    """Return a key; its hashes are nobody's business."""
    path = f"/v1/api-keys/{key.id}"
    return {
        "id": key.id,
        "project": key.project_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "role": next((name for name, one in ROLES.items() if set(one) == set(key.scopes)), None),
        "status": _status(key),
        "requests_per_minute": key.requests_per_minute,
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "last_used_at": moment(key.last_used_at),
        "rotated_at": moment(key.rotated_at),
        "former_secret_until": moment(key.former_until),
        "revoked_at": moment(key.revoked_at),
        "links": {"self": path},
    }


def project_object(project: ProjectRecord, settings: Settings) -> dict[str, Any]:
    """Return a project with the quotas that hold for it."""
    quotas = deployment_quotas(settings).with_own(project.quotas).to_json()
    return {
        "id": project.id,
        "name": project.name,
        "weight": project.weight,
        "allow_external": project.allow_external,
        "tools": None if project.tools is None else list(project.tools),
        "quotas": quotas,
        "own_quotas": sorted(name for name in project.quotas if name in quotas),
        "default_budget": _budget(project.default_budget),
        "budget": _budget(project.budget),
        "created_at": moment(project.created_at),
        "links": {"self": f"/v1/projects/{project.id}"},
    }


def usage_object(row: dict[str, Any]) -> dict[str, Any]:
    """Return one group of usage."""
    return {"group": row["grp"], **{name: row[name] for name in row if name != "grp"}}


def model_object(
    endpoint: Endpoint, endpoints: Endpoints, abilities: dict[str, Any] | None,
    state: EndpointState, *, with_address: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return an endpoint without its key."""
    prices = token_prices(endpoint)
    return {
        "name": endpoint.name,
        "model": endpoint.model,
        "base_url": endpoint.base_url if with_address else None,
        "own": endpoint.own,
        "serves": [name for name in endpoints.names() if endpoints.find(name) is endpoint],
        "fallback": fallback.name if (fallback := endpoints.fallback_of(endpoint)) else None,
        "context_tokens": endpoint.context_tokens,
        "limits": {
            "requests_per_minute": endpoint.requests_per_minute,
            "input_tokens_per_minute": endpoint.input_tokens_per_minute,
            "output_tokens_per_minute": endpoint.output_tokens_per_minute,
            "max_in_flight": endpoint.max_in_flight,
        },
        "prices": None
        if prices is None
        else {
            "input_microusd": round(prices.input_usd_per_million * 1_000_000),
            "output_microusd": round(prices.output_usd_per_million * 1_000_000),
            "cached_microusd": None
            if prices.cached_usd_per_million is None
            else round(prices.cached_usd_per_million * 1_000_000),
        },
        "abilities": abilities,
        "state": {
            "status": state.status,
            "held_ms": state.held_ms,
            "resting_ms": state.resting_ms,
        },
    }


def audit_object(entry: AuditEntry) -> dict[str, Any]:
    """Return one entry of the audit log."""
    return {
        "id": str(entry.id),
        "at": moment(entry.at),
        "project": entry.project_id,
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object_id,
        "detail": entry.detail,
    }


def _status(key: KeyRecord) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        return "expired"
    return "live"


def _budget(budget: Budget) -> dict[str, Any]:
    return {
        "usd": None if budget.microusd is None else budget.microusd / 1_000_000,
        "tokens": budget.tokens,
        "seconds": None if budget.ms is None else budget.ms / 1_000,
    }
