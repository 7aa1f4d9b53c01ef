"""Make, change and remove triggers; their secrets are sealed, and shown to nobody again."""

from collections.abc import Callable

from shared.actions.actor import Actor
from shared.actions.refusals import FieldProblem, Invalid, NotFound
from shared.database import audit, jobs, projects, streams, triggers
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.triggers import TriggerFacts, TriggerRecord
from shared.domain.ids import new_id
from shared.secret_box import SecretBox

MOST_TRIGGERS = 500  # of a project
BeforeCommit = Callable[[Connection, TriggerRecord], None]


@again_if_rolled_back
def create_trigger(
    engine: Engine, box: SecretBox, actor: Actor, facts: TriggerFacts, secret: str,
    before_commit: BeforeCommit,
) -> TriggerRecord:  # fmt: skip
    """Store a trigger; raises SecretsNotConfigured, and Invalid for a stream that is not there."""
    sealed = box.seal(secret)
    with engine.begin() as tx:
        _require_stream(tx, actor, facts)
        projects.hold(tx, actor.project_id)  # or two at once would both be the last one
        if triggers.count(tx, actor.project_id) >= MOST_TRIGGERS:
            told = f"A project has at most {MOST_TRIGGERS} triggers; delete one."
            raise Invalid([FieldProblem("", told)], "too_many_triggers")
        made = triggers.insert(tx, new_id("trg"), actor.project_id, facts, sealed)
        told_of = {"name": facts.name, "scheme": facts.scheme}
        audit.append(tx, actor.project_id, actor.name, "trigger.create", made.id, told_of)
        before_commit(tx, made)
    return made


@again_if_rolled_back
def edit_trigger(
    engine: Engine, box: SecretBox, actor: Actor, trigger_id: str,
    changed: Callable[[TriggerRecord], TriggerFacts], secret: str | None, overlap_s: float,
) -> TriggerRecord:  # fmt: skip
    """Change a trigger; with a `secret`, the one before holds for `overlap_s` seconds more.

    `changed` gets the trigger, locked, and returns what it is to be. Raises NotFound, and as
    `create_trigger` does.
    """
    sealed = None if secret is None else box.seal(secret)
    with engine.begin() as tx:
        known = lock_own(tx, actor, trigger_id)
        facts = changed(known)
        if facts.target != known.target:
            _require_stream(tx, actor, facts)
        edited = triggers.update(tx, trigger_id, facts)
        if sealed is not None:
            edited = triggers.rotate(tx, trigger_id, sealed, overlap_s)
        told = {"changed": _changed(known, edited), "rotated": sealed is not None}
        audit.append(tx, actor.project_id, actor.name, "trigger.edit", trigger_id, told)
    return edited


@again_if_rolled_back
def delete_trigger(engine: Engine, actor: Actor, trigger_id: str) -> None:
    """Delete a trigger and all that was posted to it; its jobs stay. Raises NotFound."""
    with engine.begin() as tx:
        known = lock_own(tx, actor, trigger_id)
        triggers.delete(tx, trigger_id)
        told = {"name": known.name}
        audit.append(tx, actor.project_id, actor.name, "trigger.delete", trigger_id, told)


def find_own(connection: Connection, actor: Actor, trigger_id: str) -> TriggerRecord:
    """Return a trigger of the actor's project; raises NotFound."""
    found = triggers.find(connection, trigger_id, actor.project_id)
    if found is None:
        raise NotFound("trigger")
    return found


def lock_own(tx: Connection, actor: Actor, trigger_id: str) -> TriggerRecord:
    """Return the trigger with its row locked; raises NotFound."""
    found = triggers.lock(tx, trigger_id)
    if found is None or found.project_id != actor.project_id:
        raise NotFound("trigger")
    return found


def _require_stream(tx: Connection, actor: Actor, facts: TriggerFacts) -> None:
    """Refuse records for what takes none; the job may end later, then its deliveries fail."""
    records = facts.target.get("records")
    if not records:
        return
    job = jobs.find(tx, records["job"], actor.project_id)
    if job is None or job.deleted_at is not None:
        raise NotFound("job", [FieldProblem("/records/job", "There is no such job.")])
    if streams.of_job(tx, job.id) is None:
        told = "This is a batch job; it takes no records."
        raise Invalid([FieldProblem("/records/job", told)])


def _changed(before: TriggerRecord, after: TriggerRecord) -> list[str]:
    """Return names only: what stands in a mapping may be personal."""
    names = (
        "name", "enabled", "scheme", "options", "conditions", "target", "jobs_per_hour",
        "microusd_per_day",
    )  # fmt: skip
    return [name for name in names if getattr(before, name) != getattr(after, name)]
