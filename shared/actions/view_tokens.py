"""Makes tokens that show one job, and nothing else, to whoever has them."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from shared.actions.actor import Actor
from shared.actions.keys import hash_of
from shared.actions.own_job import lock_own
from shared.database import audit, view_tokens
from shared.database.engine import Connection
from shared.domain.ids import new_id

SECRET_PREFIX = "apwv_"  # noqa: S105 - how every view token begins


@dataclass(frozen=True, slots=True)
class NewViewToken:
    """A token as it is shown once."""

    id: str
    secret: str
    job_id: str
    expires_at: datetime


def create_view_token(tx: Connection, actor: Actor, job_id: str, ttl_s: int) -> NewViewToken:
    """Store a token for a job of the actor's project, for `ttl_s` seconds.

    It can read what the job shows, no more, and ends early with the job and with the actor's key.
    Raises NotFound, and Gone for a deleted job.
    """
    job = lock_own(tx, actor, job_id)
    token_id, secret = new_id("vtk"), SECRET_PREFIX + secrets.token_urlsafe(32)
    expires_at = view_tokens.insert(
        tx, token_id, hash_of(secret), project_id=job.project_id, job_id=job.id,
        key_id=actor.key_id, ttl_s=ttl_s,
    )  # fmt: skip
    detail = {"token": token_id, "ttl_s": ttl_s}
    audit.append(tx, actor.project_id, actor.name, "job.view_token", job.id, detail)
    return NewViewToken(token_id, secret, job.id, expires_at)
