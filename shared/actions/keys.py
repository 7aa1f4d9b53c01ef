"""Make and revoke API keys: `apwa_` and 43 random characters, stored as a hash only."""

import hashlib
import secrets
from datetime import datetime

from shared.actions.actor import ROLES, SCOPES
from shared.actions.refusals import FieldProblem, Invalid
from shared.database import audit, keys
from shared.database.engine import Connection
from shared.domain.ids import new_id

DEFAULT_PROJECT = "default"
SECRET_PREFIX = "apwa_"  # noqa: S105 - how every key begins


def create_key(
    connection: Connection,
    project_id: str,
    name: str,
    scopes: tuple[str, ...] = ROLES["operator"],
    expires_at: datetime | None = None,
    *,
    actor: str = "system",
) -> tuple[str, str]:
    """Store a new key and return (key id, secret); the secret cannot be read again.

    Raises Invalid for an unknown scope or an empty list of them.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        known = ", ".join(SCOPES)
        raise Invalid([FieldProblem("/scopes", f"Choose among {known}.")])
    key_id, secret = new_id("key"), SECRET_PREFIX + secrets.token_urlsafe(32)
    keys.insert(connection, key_id, project_id, name, hash_of(secret), scopes, expires_at)
    detail = {"name": name, "scopes": list(scopes)}
    audit.append(connection, project_id, actor, "key.create", key_id, detail)
    return key_id, secret


def revoke_key(
    connection: Connection, project_id: str, key_id: str, *, actor: str = "system"
) -> bool:
    """End a key at once; False when the project has no such live key."""
    revoked = keys.revoke(connection, key_id, project_id)
    if revoked:
        audit.append(connection, project_id, actor, "key.revoke", key_id)
    return revoked


def ensure_default_project(connection: Connection) -> str:
    """Return the id of the project `default`, which is made at first use."""
    return keys.insert_project(connection, new_id("prj"), DEFAULT_PROJECT)


def hash_of(secret: str) -> str:
    """Return what is stored of a secret: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
