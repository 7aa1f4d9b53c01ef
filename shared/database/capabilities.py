"""Capability manifests, written by workers and read by api and planner."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json


def publish(connection: Connection, manifests: Sequence[dict[str, Any]]) -> None:
    """Write or refresh manifests (JSON form of `shared.capabilities.contract.Manifest`)."""
    for manifest in sorted(manifests, key=lambda item: str(item["name"])):
        connection.execute(
            text("""INSERT INTO capabilities (name, version, manifest)
              VALUES (:name, :version, CAST(:manifest AS jsonb))
              ON CONFLICT (name, version) DO UPDATE SET manifest = excluded.manifest,
                seen_at = clock_timestamp()"""),
            {
                "name": manifest["name"],
                "version": manifest["version"],
                "manifest": to_json(manifest),
            },
        )


def manifests(connection: Connection) -> list[dict[str, Any]]:
    """Return the manifest of the newest version of every capability, by name."""
    return list(
        connection.execute(
            text("""SELECT DISTINCT ON (name) manifest FROM capabilities
              ORDER BY name, seen_at DESC""")
        ).scalars()
    )
