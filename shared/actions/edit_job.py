"""Changes what may change of a job that is not final: budget, deadline, priority, labels."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.actions.actor import Actor
from shared.actions.own_job import lock_own, wrong_state
from shared.actions.refusals import FieldProblem, Invalid, Stale
from shared.database import audit, events, job_control, spend
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord
from shared.domain.budget import budget_of

MAX_LABELS = 64


@dataclass(frozen=True, slots=True)
class JobEdit:
    """What is to change; members not named stay, None takes one away (as in a JSON merge patch).

    `budget` has `usd`, `tokens`, `seconds` as in a job's policy, `policy` may have `deadline_s`.
    """

    budget: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    priority: int | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)


@again_if_rolled_back
def edit_job(
    engine: Engine,
    actor: Actor,
    job_id: str,
    versions: Collection[str] | None,
    edit: JobEdit,
    before_commit: Callable[[Connection, JobRecord], None],
) -> JobRecord:
    """Change a job that is not final; a higher budget holds at once, a paused job stays paused.

    `versions` are those of the job the edit was made for (None: any). Raises NotFound, WrongState
    for a final job, Stale, and Invalid for too many labels or a budget without any limit.
    """
    with engine.begin() as tx:
        job = lock_own(tx, actor, job_id)
        if job.finished_at is not None:
            raise wrong_state(job, "only a job that is not final can be changed")
        budget = {**(job.policy.get("budget") or {}), **edit.budget}
        policy = {**job.policy, **edit.policy, "budget": budget}
        edited = job_control.edit(
            tx, job_id, versions, policy=policy, labels=_labels(job, edit),
            priority=job.priority if edit.priority is None else edit.priority,
        )  # fmt: skip
        if edited is None:
            raise Stale("job")
        if edit.budget:
            _set_budget(tx, edited)
        changed = _changed(edit)
        events.append(tx, job_id, "job.edited", actor=actor.name, data=changed)
        audit.append(tx, actor.project_id, actor.name, "job.edit", job_id, changed)
        before_commit(tx, edited)
    return edited


def _labels(job: JobRecord, edit: JobEdit) -> dict[str, str]:
    merged = {**job.labels, **edit.labels}
    labels = {name: value for name, value in merged.items() if value is not None}
    if len(labels) > MAX_LABELS:
        raise Invalid([FieldProblem("/labels", f"A job has at most {MAX_LABELS} labels.")])
    return labels


def _set_budget(tx: Connection, job: JobRecord) -> None:
    budget = budget_of(job.policy)
    if not budget.given:
        detail = "Leave at least one limit; without any the project's default would hold again."
        raise Invalid([FieldProblem("/budget", detail)])
    spend.set_budget(tx, job.id, budget)


def _changed(edit: JobEdit) -> dict[str, Any]:
    """Return what the event tells: names of labels only, their values may be personal."""
    told: dict[str, Any] = {}
    if edit.budget:
        told["budget"] = dict(edit.budget)
    if edit.priority is not None:
        told["priority"] = edit.priority
    told |= edit.policy
    if edit.labels:
        told["labels"] = sorted(edit.labels)
    return told
