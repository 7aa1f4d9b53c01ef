"""Reads, makes and rotates the secrets that sign webhooks: of endpoints, and of a project."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.actions.actor import Actor
from shared.actions.own_webhook import lock_own_endpoint
from shared.actions.refusals import WrongState
from shared.database import audit, webhook_endpoints, webhook_secrets
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.webhook_endpoints import EndpointRecord
from shared.domain.webhook_signature import new_secret
from shared.secret_box import SecretBox
from shared.settings import Settings

BeforeCommit = Callable[[Connection, EndpointRecord], None]


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in the open; the former one signs too until `former_until`."""

    secret: str
    former_until: datetime | None
    rotated_at: datetime | None = None


@again_if_rolled_back
def rotate_endpoint_secret(
    engine: Engine, settings: Settings, actor: Actor, endpoint_id: str, overlap_s: float,
    before_commit: BeforeCommit,
) -> Secret:  # fmt: skip
    """Make a new secret; for `overlap_s` the former one signs too.

    Raises NotFound, SecretsNotConfigured, and WrongState for the endpoint of a job.
    """
    secret = new_secret()
    sealed = SecretBox(settings.secret_keys).seal(secret)
    with engine.begin() as tx:
        lock_own_endpoint(tx, actor, endpoint_id)
        changed = webhook_endpoints.rotate(tx, endpoint_id, sealed, overlap_s)
        if changed is None:
            raise _of_job()
        told = {"overlap_s": overlap_s}
        audit.append(
            tx, actor.project_id, actor.name, "webhook_endpoint.rotate_secret", endpoint_id, told
        )
        before_commit(tx, changed)
    return Secret(secret, changed.former_until)


def read_endpoint_secret(
    engine: Engine, settings: Settings, actor: Actor, endpoint_id: str
) -> Secret:
    """Return the secret of an endpoint; raises as `rotate_endpoint_secret` does."""
    with engine.begin() as tx:
        known = lock_own_endpoint(tx, actor, endpoint_id)
        if known.secret is None:
            raise _of_job()
        audit.append(tx, actor.project_id, actor.name, "webhook_endpoint.read_secret", endpoint_id)
    return Secret(SecretBox(settings.secret_keys).open(known.secret), known.former_until)


def read_project_secret(engine: Engine, settings: Settings, actor: Actor) -> Secret:
    """Return the secret that signs the webhooks of jobs; made at first use.

    Raises SecretsNotConfigured.
    """
    with engine.begin() as tx:
        ensure_project_secret(tx, settings, actor.project_id)
        known = webhook_secrets.find(tx, actor.project_id)
        audit.append(tx, actor.project_id, actor.name, "webhook_secret.read", actor.project_id)
    if known is None:
        raise LookupError("the secret that was just made is not there")
    opened = SecretBox(settings.secret_keys).open(known.secret)
    return Secret(opened, known.former_until, known.rotated_at)


@again_if_rolled_back
def rotate_project_secret(
    engine: Engine, settings: Settings, actor: Actor, overlap_s: float,
    before_commit: Callable[[Connection, Secret], None],
) -> Secret:  # fmt: skip
    """Make a new one; for `overlap_s` the former one signs too. Raises SecretsNotConfigured."""
    secret = new_secret()
    sealed = SecretBox(settings.secret_keys).seal(secret)
    with engine.begin() as tx:
        known = webhook_secrets.rotate(tx, actor.project_id, sealed, overlap_s)
        told = {"overlap_s": overlap_s}
        audit.append(
            tx, actor.project_id, actor.name, "webhook_secret.rotate", actor.project_id, told
        )
        made = Secret(secret, known.former_until, known.rotated_at)
        before_commit(tx, made)
    return made


def ensure_project_secret(tx: Connection, settings: Settings, project_id: str) -> None:
    """Make the secret of a project where there is none. Raises SecretsNotConfigured."""
    if webhook_secrets.find(tx, project_id) is None:
        sealed = SecretBox(settings.secret_keys).seal(new_secret())
        webhook_secrets.insert(tx, project_id, sealed)


def _of_job() -> WrongState:
    return WrongState(
        "wrong_state", "A job's own webhook is signed with the project's secret; rotate that one."
    )
