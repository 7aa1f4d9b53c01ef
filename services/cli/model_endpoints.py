"""Probes the configured model endpoints for the command line, stores and tells what was found."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.embedded.stack_file import running_stack
from services.cli.exits import CommandError
from shared.database import endpoint_abilities
from shared.database.engine import Engine, connect
from shared.domain.model_call import CallFailure
from shared.llm.client import client_for
from shared.llm.endpoints import Endpoint, Endpoints, endpoints_of
from shared.llm.probe import Probed, probe
from shared.settings import child_environ, env_name, load_settings

_SHOWN = ("json_schema", "json_object", "tools", "images", "usage", "limit_headers", "temperature")


@dataclass(frozen=True, slots=True)
class Found:
    """What probing one endpoint came to."""

    endpoint: Endpoint
    came: Probed | CallFailure

    @property
    def failed(self) -> bool:
        """True when the endpoint cannot be used at all."""
        return isinstance(self.came, CallFailure)


def configured() -> Endpoints:
    """Return the endpoints of the settings; raises CommandError when there is none."""
    endpoints = endpoints_of(load_settings(stores=False))
    if not endpoints:
        names = " or ".join(env_name(name) for name in ("openai_api_key", "openai_base_url"))
        raise CommandError(f"no model is configured: set {names} (see docs/models.md)")
    return endpoints


def chosen(name: str) -> list[Endpoint]:
    """Return the endpoint of a name or role, or all for an empty one; raises CommandError."""
    endpoints = configured()
    if not name:
        return list(endpoints)
    endpoint = endpoints.find(name)
    if endpoint is None:
        raise CommandError(f"no endpoint {name!r}; there are {', '.join(endpoints.names())}")
    return [endpoint]


def probe_all(endpoints: list[Endpoint]) -> list[Found]:
    """Probe one endpoint after the other."""
    return [Found(endpoint, asyncio.run(_probe(endpoint))) for endpoint in endpoints]


def store(folder: Path, found: list[Found]) -> bool:
    """Write what was found where the services read it; False when there is no database."""
    engine = _database(folder)
    if engine is None:
        return False
    try:
        with engine.begin() as connection:
            for item in found:
                if isinstance(item.came, Probed):
                    endpoint_abilities.save(
                        connection, item.endpoint.name, item.endpoint.address_hash,
                        item.endpoint.model, item.came.abilities.to_json(),
                    )  # fmt: skip
    finally:
        engine.dispose()
    return True


def lines(item: Found) -> list[str]:
    """Return what was found as lines for a person."""
    told = [f"{item.endpoint.name}: {item.endpoint.model} at {item.endpoint.base_url}"]
    if isinstance(item.came, CallFailure):
        return [*told, f"  cannot be used: {item.came.detail}"]
    abilities = item.came.abilities.to_json()
    for ability in _SHOWN:
        word = {True: "yes", False: "no", None: "unknown"}[abilities[ability]]
        note = item.came.notes.get(ability, "yes")
        told.append(f"  {ability:<14} {word}" + ("" if note == "yes" else f" ({note})"))
    return [*told, f"  {'output limit':<14} {item.came.abilities.output_limit}"]


def report(item: Found, stored: bool) -> dict[str, Any]:
    """Return what was found as JSON."""
    if isinstance(item.came, CallFailure):
        told = {"code": item.came.kind, "detail": item.came.detail}
        return {**facts(item.endpoint), "error": told}
    return {
        **facts(item.endpoint),
        "abilities": item.came.abilities.to_json(),
        "notes": dict(item.came.notes),
        "calls": item.came.calls,
        "stored": stored,
    }


def facts(endpoint: Endpoint) -> dict[str, Any]:
    """Return what may be shown of an endpoint: never its key."""
    return {
        "name": endpoint.name,
        "base_url": endpoint.base_url,
        "model": endpoint.model,
        "own": endpoint.own,
        "fallback": endpoint.fallback,
    }


async def _probe(endpoint: Endpoint) -> Probed | CallFailure:
    client = client_for(endpoint, load_settings(stores=False))
    try:
        return await probe(client)
    finally:
        await client.close()


def _database(folder: Path) -> Engine | None:
    """Return the database the settings name, else that of the stack running on the folder."""
    settings = load_settings(stores=False)
    if not settings.database_url:
        stack = running_stack(folder)
        if stack is None:
            return None
        stores = {"database_url": stack.database_url, "redis_url": stack.redis_url}
        settings = load_settings(child_environ(**stores))
    return connect(settings.sqlalchemy_url, pool_size=1, application_name="apwa-models")
