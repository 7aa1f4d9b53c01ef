"""Opens this worker's door to the models and its purses, if any endpoint is configured."""

from collections.abc import Mapping

from services.worker.model_door import ModelDoor
from shared.database import endpoint_abilities
from shared.database.engine import Connection, Engine, retrying
from shared.domain.budget import Budget
from shared.llm.abilities import Abilities
from shared.llm.budget import Purses
from shared.llm.endpoints import Endpoints
from shared.llm.limiter import Limiter
from shared.llm.prices import token_prices
from shared.settings import Settings


def open_door(
    engine: Engine, settings: Settings, worker_id: str, endpoints: Endpoints
) -> ModelDoor:
    """Return the door; abilities are what `apwa models probe` last found."""
    abilities = retrying(engine, lambda tx: _abilities(tx, endpoints), for_s=60.0)
    return ModelDoor(endpoints, abilities, Limiter(settings.redis_url, worker_id), settings)


def open_purses(engine: Engine, settings: Settings, worker_id: str, endpoints: Endpoints) -> Purses:
    """Return the purses; a job that names no budget gets the deployment's."""
    default = Budget(
        microusd=int(settings.default_budget_usd * 1_000_000),
        tokens=settings.default_budget_tokens,
    )
    unpriced = any(token_prices(endpoint) is None for endpoint in endpoints)
    return Purses(
        engine, worker_id, lease_s=settings.lease_s, default=default,
        unpriced_tokens=settings.default_budget_tokens if unpriced else None,
        microusd_per_day=int(settings.quota_spend_usd_per_day * 1_000_000),
    )  # fmt: skip


def _abilities(tx: Connection, endpoints: Endpoints) -> Mapping[str, Abilities]:
    found = {}
    for endpoint in endpoints:
        stored = endpoint_abilities.find(tx, endpoint.name, endpoint.address_hash, endpoint.model)
        if stored is not None:
            found[endpoint.name] = Abilities.from_json(stored)
    return found
