"""What model endpoints were found to be able to do, by name, address and model."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json


@dataclass(frozen=True, slots=True)
class FoundAbilities:
    """One probe as it is stored; `abilities` is the JSON form of `shared.llm.abilities`."""

    name: str
    address_hash: str
    model: str
    abilities: dict[str, Any]
    probed_at: datetime


def save(
    connection: Connection, name: str, address_hash: str, model: str, abilities: dict[str, Any]
) -> None:
    """Write what a probe found; the endpoint's former entry is replaced."""
    connection.execute(
        text("""INSERT INTO model_endpoints (name, address_hash, model, abilities)
          VALUES (:name, :address_hash, :model, CAST(:abilities AS jsonb))
          ON CONFLICT (name) DO UPDATE SET address_hash = excluded.address_hash,
            model = excluded.model, abilities = excluded.abilities,
            probed_at = clock_timestamp()"""),
        {
            "name": name, "address_hash": address_hash, "model": model,
            "abilities": to_json(abilities),
        },
    )  # fmt: skip


def find(connection: Connection, name: str, address_hash: str, model: str) -> dict[str, Any] | None:
    """Return what is known of an endpoint; None when it moved or changed its model since."""
    found: dict[str, Any] | None = connection.execute(
        text("""SELECT abilities FROM model_endpoints
          WHERE name = :name AND address_hash = :address_hash AND model = :model"""),
        {"name": name, "address_hash": address_hash, "model": model},
    ).scalar_one_or_none()
    return found


def all_found(connection: Connection) -> list[FoundAbilities]:
    """Return every stored probe, by name."""
    rows = connection.execute(
        text("""SELECT name, address_hash, model, abilities, probed_at
          FROM model_endpoints ORDER BY name""")
    ).mappings()
    return [FoundAbilities(**row) for row in rows]
