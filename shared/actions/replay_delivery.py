"""Works a stored delivery once more, whatever limits say: held, failed, ignored, or again."""

import hashlib
from collections.abc import Callable

from shared.actions.actor import Actor
from shared.actions.refusals import FieldProblem, Gone, NotFound, WrongState
from shared.actions.triggers import find_own
from shared.database import audit, trigger_deliveries
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.trigger_deliveries import DeliveryRecord
from shared.domain.ids import new_id


@again_if_rolled_back
def replay_delivery(
    engine: Engine, actor: Actor, trigger_id: str, delivery_id: str,
    before_commit: Callable[[Connection, DeliveryRecord], None],
) -> DeliveryRecord:  # fmt: skip
    """Return the delivery that will be worked: a new one where this one made its job already.

    Raises NotFound, Gone when what was posted is erased, WrongState while it is still pending.
    """
    with engine.begin() as tx:
        trigger = find_own(tx, actor, trigger_id)
        known = trigger_deliveries.lock(tx, trigger.id, delivery_id)
        if known is None:
            raise NotFound("delivery")
        event = trigger_deliveries.event_of(tx, delivery_id)
        if event is None:
            raise Gone("delivery")
        if known.status == "pending":
            problem = FieldProblem("/status", known.status)
            raise WrongState("wrong_state", "The delivery is pending; wait for it.", [problem])
        worked = delivery_id
        if known.status == "accepted":
            worked = new_id("dlv")
            trigger_deliveries.insert(
                tx, worked, trigger.id, dedup=hashlib.sha256(worked.encode()).hexdigest(),
                sender_id=known.sender_id, event=event, replay_of=delivery_id,
            )  # fmt: skip
        else:
            trigger_deliveries.replay(tx, delivery_id)
        told = {"delivery": worked, "was": known.status}
        audit.append(tx, actor.project_id, actor.name, "delivery.replay", delivery_id, told)
        found = trigger_deliveries.find(tx, trigger.id, worked)
        if found is None:
            raise LookupError(f"delivery {worked} is gone within its own transaction")
        before_commit(tx, found)
    return found
