"""Works off stored deliveries: each makes one job, or feeds a stream, whoever dies meanwhile."""

import json
import secrets
from collections.abc import Callable
from typing import Any

from shared.actions.actor import Actor
from shared.actions.append_records import Appended, Sent, append_records
from shared.actions.receive_hook import why_ignored
from shared.actions.refusals import FieldProblem, Invalid, Later, Refusal
from shared.actions.submit import submit_job
from shared.actions.trigger_job import request_for
from shared.database import trigger_deliveries, triggers
from shared.database.engine import Connection, Engine, is_transient, retrying
from shared.database.jobs import JobRecord
from shared.database.trigger_deliveries import Claimed
from shared.database.triggers import TriggerRecord
from shared.domain.hook_mapping import MappingError, records_of
from shared.log import get_logger
from shared.settings import Settings

MOST_TRIES = 6  # of what fails for no reason that anybody knows, or kills the process
_BUSY_S, _LONGEST_WAIT_S = 2.0, 60.0
_SCOPES = frozenset({"jobs:write"})


class _Held(Exception):
    """A limit of the trigger is reached; the delivery waits for a person."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = {"code": code, "detail": detail}


class _Lost(Exception):
    """Another process has the delivery now, or it is gone: what was begun is rolled back."""


def take_delivery(engine: Engine, settings: Settings, made: Callable[[str], None]) -> bool:
    """Work off one delivery that is due; False when there is none.

    `made(job_id)` is called once the job is there. The delivery moves on in the transaction that
    makes the job, so a process that dies leaves both or neither, and a second process finds it
    settled.
    """
    claim = secrets.token_hex(8)
    claimed = retrying(
        engine, lambda tx: trigger_deliveries.claim_one(tx, claim, settings.lease_s)
    )  # fmt: skip
    if claimed is None:
        return False
    log = get_logger(trigger_id=claimed.delivery.trigger_id, delivery_id=claimed.delivery.id)
    try:
        job_id = _work(engine, settings, claimed)
    except _Lost:
        log.info("delivery_lost")
    except _Held as held:
        _settle(engine, claimed, "held", held.reason)
        log.info("delivery_held", code=held.reason["code"])
    except Later as later:  # a quota, or a stream too far behind: nobody's fault
        reason = {"code": later.code, "detail": later.detail}
        wait_s = min(max(_BUSY_S, later.retry_after_s), _LONGEST_WAIT_S)
        _put_off(engine, claimed, reason, wait_s, tries=claimed.delivery.tries - 1)
    except Refusal as refusal:
        _settle(engine, claimed, "failed", _told(refusal))
        log.info("delivery_failed", code=refusal.code)
    except Exception as error:  # becomes the delivery's outcome
        if is_transient(error):
            raise  # the claim ends by itself
        log.error("delivery_trouble", error=type(error).__name__, exc_info=True)
        _trouble(engine, claimed, error)
    else:
        if job_id is not None:
            log.info("delivery_accepted", job_id=job_id)
            made(job_id)
    return True


def _work(engine: Engine, settings: Settings, claimed: Claimed) -> str | None:
    """Do what the trigger says; return the job that was made or fed, None when it is ignored."""
    delivery = claimed.delivery
    with engine.connect() as connection:
        trigger = triggers.find(connection, delivery.trigger_id)
    if trigger is None:
        raise _Lost
    if delivery.tries > MOST_TRIES:
        raise Invalid([], "internal", "Every try ended before it could say why.")
    payload = json.loads(claimed.event.body)
    ignored = why_ignored(trigger, claimed.event.headers, payload)
    if ignored is not None:
        _settle(engine, claimed, "ignored", ignored)
        return None
    if not trigger.enabled and not delivery.forced:
        raise _Held("trigger_disabled", "The trigger was disabled before the job was made.")
    if trigger.target.get("records"):
        return _feed(engine, settings, trigger, claimed, payload)
    return _start(engine, settings, trigger, claimed, payload)


def _start(
    engine: Engine, settings: Settings, trigger: TriggerRecord, claimed: Claimed, payload: Any
) -> str:
    with engine.connect() as connection:
        _require_room(connection, trigger, claimed, made=0)
        request = request_for(connection, trigger, payload, claimed.delivery.id)

    def before_commit(tx: Connection, job: JobRecord) -> None:
        locked = triggers.lock(tx, trigger.id)  # one after the other, or limits would be passed
        if locked is None:
            raise _Lost
        _require_room(tx, locked, claimed, made=1)
        if not trigger_deliveries.settle(tx, claimed, "accepted", job_id=job.id):
            raise _Lost

    return submit_job(engine, settings, _actor(trigger), request, before_commit).id


def _feed(
    engine: Engine, settings: Settings, trigger: TriggerRecord, claimed: Claimed, payload: Any
) -> str:
    """Append to the stream; appended twice, records count as duplicates."""
    source = trigger.target["records"]
    job_id = str(source["job"])
    try:
        values = records_of(source, payload)
    except MappingError as error:
        raise Invalid([FieldProblem(error.pointer, error.detail)], "mapping_failed") from error

    def before_commit(tx: Connection, counted: Appended) -> None:
        if counted.rejected_total and not counted.accepted and not counted.duplicates:
            wrong = [FieldProblem(f"/{one.place}{one.pointer}", one.detail)
                     for one in counted.rejected[:20]]  # fmt: skip
            raise Invalid(wrong, "records_rejected", "No record fits the stream.")
        told = {
            "accepted": counted.accepted, "duplicates": counted.duplicates,
            "rejected": counted.rejected_total,
        }  # fmt: skip
        if not trigger_deliveries.settle(tx, claimed, "accepted", job_id=job_id, records=told):
            raise _Lost

    sent = (Sent(place, value) for place, value in enumerate(values))
    append_records(engine, settings, _actor(trigger), job_id, sent, before_commit)
    return job_id


def _require_room(
    connection: Connection, trigger: TriggerRecord, claimed: Claimed, *, made: int
) -> None:
    """Raise _Held above the limits; `made` counts the job of this very transaction."""
    if claimed.delivery.forced:
        return
    most = trigger.jobs_per_hour
    if most is not None and triggers.jobs_last_hour(connection, trigger.id) - made >= most:
        raise _Held("jobs_per_hour", f"The trigger started {most} jobs within the last hour.")
    limit = trigger.microusd_per_day
    if limit is not None and triggers.microusd_last_day(connection, trigger.id) >= limit:
        told = f"Its jobs of the last day spent or reserved {limit / 1_000_000:g} US dollars."
        raise _Held("usd_per_day", told)


def _actor(trigger: TriggerRecord) -> Actor:
    return Actor(trigger.project_id, None, _SCOPES, trigger_id=trigger.id)


def _told(refusal: Refusal) -> dict[str, Any]:
    problems = [problem.to_json() for problem in refusal.problems[:20]]
    return {"code": refusal.code, "detail": refusal.detail, "errors": problems}


def _settle(engine: Engine, claimed: Claimed, status: str, reason: dict[str, Any]) -> None:
    retrying(engine, lambda tx: trigger_deliveries.settle(tx, claimed, status, reason=reason))


def _put_off(
    engine: Engine, claimed: Claimed, reason: dict[str, Any], wait_s: float, *, tries: int
) -> None:
    retrying(engine, lambda tx: trigger_deliveries.put_off(tx, claimed, reason, wait_s, tries))


def _trouble(engine: Engine, claimed: Claimed, error: Exception) -> None:
    """Try again a few times; nobody but the log is told more than the kind of error."""
    detail = f"Something went wrong on our side: {type(error).__name__}."
    reason, tries = {"code": "internal", "detail": detail}, claimed.delivery.tries
    if tries >= MOST_TRIES:
        _settle(engine, claimed, "failed", reason)
    else:
        wait_s = min(_LONGEST_WAIT_S, _BUSY_S * 2 ** (tries - 1))
        _put_off(engine, claimed, reason, wait_s, tries=tries)
