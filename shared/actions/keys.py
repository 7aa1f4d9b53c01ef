"""Make, rotate and revoke API keys: `apwa_` and 43 random characters, stored as a hash only."""

import hashlib
import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from shared.actions.actor import ROLES, SCOPES, SYSTEM, Actor
from shared.actions.refusals import FieldProblem, Forbidden, Invalid, NotFound, WrongState
from shared.database import audit, keys
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.keys import KeyRecord
from shared.domain.ids import new_id

DEFAULT_PROJECT = "default"
SECRET_PREFIX = "apwa_"  # noqa: S105 - how every key begins
GRANTABLE = (*SCOPES, SYSTEM)
MOST_OVERLAP_S = 604_800
BeforeCommit = Callable[[Connection, KeyRecord, str], None]


def create_key(
    connection: Connection,
    project_id: str,
    name: str,
    scopes: tuple[str, ...] = ROLES["operator"],
    expires_at: datetime | None = None,
    *,
    requests_per_minute: int | None = None,
    actor: str = "system",
) -> tuple[str, str]:
    """Store a new key and return (key id, secret); the secret cannot be read again.

    Raises Invalid for an unknown scope, an empty list of them, or an end that is over.
    """
    unknown = [scope for scope in scopes if scope not in GRANTABLE]
    if unknown or not scopes:
        known = ", ".join(GRANTABLE)
        raise Invalid([FieldProblem("/scopes", f"Choose among {known}.")])
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Invalid([FieldProblem("/expires_at", "Give a time that is still to come.")])
    key_id, secret = new_id("key"), _new_secret()
    wanted = tuple(dict.fromkeys(scopes))
    keys.insert(
        connection, key_id, project_id, name, hash_of(secret), wanted, expires_at,
        requests_per_minute,
    )  # fmt: skip
    detail = {"name": name, "scopes": list(wanted)}
    audit.append(connection, project_id, actor, "key.create", key_id, detail)
    return key_id, secret


def require_grantable(actor: Actor, scopes: Collection[str]) -> None:
    """Raise Forbidden (`missing_scope`) unless the actor may do all that a key may."""
    lacking = [scope for scope in scopes if scope in GRANTABLE and not actor.may(scope)]
    if lacking:
        told = f"This key cannot grant or hold what it lacks itself: {', '.join(lacking)}."
        raise Forbidden("missing_scope", told, [FieldProblem("/scopes", told)])


@again_if_rolled_back
def rotate_own_key(
    engine: Engine, actor: Actor, key_id: str, overlap_s: float, before_commit: BeforeCommit
) -> tuple[KeyRecord, str]:
    """Give a key of the actor's project another secret and return both.

    The secret before is taken for `overlap_s` more. Raises NotFound; Forbidden for a key that may
    more than the actor; WrongState for one that is revoked or expired.
    """
    with engine.begin() as tx:
        project_id = _require_own(tx, actor, key_id).project_id
        secret = rotate_key(tx, project_id, key_id, overlap_s, actor=actor.name)
        if secret is None:
            raise WrongState("wrong_state", "The key is revoked or expired; make another one.")
        key = _require_own(tx, actor, key_id)
        before_commit(tx, key, secret)
    return key, secret


@again_if_rolled_back
def revoke_own_key(engine: Engine, actor: Actor, key_id: str) -> None:
    """End a key of the actor's project at once; ended already, nothing changes.

    Raises NotFound, and Forbidden for a key that may more than the actor.
    """
    with engine.begin() as tx:
        key = _require_own(tx, actor, key_id)
        revoke_key(tx, key.project_id, key_id, actor=actor.name)


def rotate_key(
    connection: Connection, project_id: str, key_id: str, overlap_s: float, *,
    actor: str = "system",
) -> str | None:  # fmt: skip
    """Give a key another secret and return it; None when the project has no such live key."""
    if keys.lock(connection, key_id, project_id) is None:
        return None
    secret = _new_secret()
    if not keys.rotate(connection, key_id, hash_of(secret), overlap_s):
        return None
    audit.append(
        connection, project_id, actor, "key.rotate", key_id, {"overlap_s": overlap_s}
    )  # fmt: skip
    return secret


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


def _require_own(tx: Connection, actor: Actor, key_id: str) -> KeyRecord:
    key = keys.lock(tx, key_id, None if actor.may(SYSTEM) else actor.project_id)
    if key is None:
        raise NotFound("key")
    require_grantable(actor, key.scopes)
    return key


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)
