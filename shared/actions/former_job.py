"""A final job as the start of another: its plan as one document, its inputs, its request."""

from typing import Any

from shared.actions.actor import Actor
from shared.actions.job_request import InputAddress, InputRequest, WebhookRequest
from shared.actions.own_job import lock_own, wrong_state
from shared.database import awaited_inputs, jobs, plans, rounds, webhook_endpoints
from shared.database.engine import Connection
from shared.database.jobs import JobRecord


def find_final(tx: Connection, actor: Actor, job_id: str, rule: str) -> JobRecord:
    """Return a final job, locked; raise NotFound, Gone for a deleted one, WrongState else."""
    job = lock_own(tx, actor, job_id)
    if job.finished_at is None:
        raise wrong_state(job, rule)
    return job


def former_plan(tx: Connection, job: JobRecord) -> dict[str, Any] | None:
    """Return the stages of all rounds as one plan; None for a job that never had one.

    Names are unique over all rounds. The briefs of several rounds follow each other.
    """
    ran = [one.document for one in rounds.ran(tx, job.id)]
    if not ran:
        shown = plans.find(tx, job.id)
        ran = [shown.document] if shown else []
    if not ran:
        return job.given_plan
    briefs = dict.fromkeys(document["brief"] for document in ran if document.get("brief"))
    whole: dict[str, Any] = {
        "version": ran[-1]["version"],
        "brief": "\n\n".join(briefs),
        "tables": {
            name: rows
            for document in ran
            for name, rows in (document.get("tables") or {}).items()
        },
        "stages": [stage for document in ran for stage in document["stages"]],
        "result": ran[-1]["result"],
    }  # fmt: skip
    return {name: value for name, value in whole.items() if value}


def former_inputs(tx: Connection, job: JobRecord) -> tuple[InputRequest, ...]:
    """Return the inputs of a job as inputs of another one; what never came is fetched anew."""
    awaited = {
        item.name: InputAddress(item.url, item.format, item.sheet)
        for item in awaited_inputs.of_job(tx, job.id)
    }
    return tuple(
        InputRequest(item.name, item.key, address=awaited[item.name])
        if item.name in awaited
        else InputRequest(item.name, item.key, table_id=item.table_id)
        for item in jobs.inputs(tx, job.id)
    )


def former_webhook(tx: Connection, job: JobRecord) -> WebhookRequest | None:
    """Return the webhook a job brought itself, for the job that follows it; None when disabled."""
    known = webhook_endpoints.of_job(tx, job.id)
    if known is None or known.disabled_at is not None:
        return None
    return WebhookRequest(known.url, known.events)
