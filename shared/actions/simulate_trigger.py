"""Says what a trigger would make of a delivery; stores nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.actions.actor import Actor
from shared.actions.estimate import Estimate, estimate_job
from shared.actions.receive_hook import check_hook
from shared.actions.refusals import FieldProblem, Invalid, Refusal
from shared.actions.trigger_job import body_for, request_for
from shared.database.engine import Engine
from shared.database.triggers import TriggerRecord
from shared.domain.hook_mapping import MappingError, records_of
from shared.domain.hook_match import unmet
from shared.domain.hook_scheme import Refused, is_ping
from shared.secret_box import SecretBox
from shared.settings import Settings

NEEDS_PLANNING = "needs_planning"


@dataclass(slots=True)
class Simulated:
    """What would happen; `refusal` is why no job would come of it."""

    verified: bool
    reason: str | None
    ping: bool
    unmet: list[int]
    job: dict[str, Any] | None = None
    records: list[Any] | None = None
    estimate: Estimate | None = None
    refusal: Refusal | None = field(default=None)

    @property
    def matched(self) -> bool:
        """True when a job would be tried."""
        return not self.ping and not self.unmet


def simulate_trigger(
    engine: Engine, settings: Settings, actor: Actor, trigger: TriggerRecord,
    headers: Mapping[str, str], body: bytes, payload: Any,
) -> Simulated:  # fmt: skip
    """Go the way of a delivery; an unverified one too, since a recorded one is always stale.

    A goal that only a model can plan is not estimated: no model is asked.
    """
    verdict = check_hook(SecretBox(settings.secret_keys), trigger, headers, body)
    refused = verdict if isinstance(verdict, Refused) else None
    found = Simulated(
        verified=refused is None,
        reason=refused.reason if refused else None,
        ping=is_ping(trigger.scheme, headers, payload),
        unmet=unmet(trigger.conditions, headers, payload),
    )
    try:
        _fill(engine, settings, actor, trigger, payload, found)
    except Refusal as refusal:
        if refusal.code != NEEDS_PLANNING:
            found.refusal = refusal
    return found


def _fill(
    engine: Engine, settings: Settings, actor: Actor, trigger: TriggerRecord, payload: Any,
    found: Simulated,
) -> None:  # fmt: skip
    source = trigger.target.get("records")
    if source:
        try:
            found.records = records_of(source, payload)
        except MappingError as error:
            raise Invalid([FieldProblem(error.pointer, error.detail)], "mapping_failed") from error
        return
    with engine.connect() as connection:
        request = request_for(connection, trigger, payload, None)
    found.job = body_for(trigger, request)
    found.estimate = estimate_job(engine, settings, actor, request)
