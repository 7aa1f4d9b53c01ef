"""Sends deliveries again: one, or all of an endpoint made in a span of time."""

from collections.abc import Callable
from datetime import datetime

from shared.actions.actor import Actor
from shared.actions.own_webhook import require_enabled
from shared.actions.refusals import FieldProblem, Gone, Invalid, NotFound, WrongState
from shared.database import audit, delivery_log, webhook_endpoints
from shared.database.delivery_log import DeliveryRecord
from shared.database.engine import Connection, Engine, again_if_rolled_back

MOST_AT_ONCE = 10_000


@again_if_rolled_back
def redeliver(
    engine: Engine, actor: Actor, delivery_id: str,
    before_commit: Callable[[Connection, DeliveryRecord], None],
) -> None:  # fmt: skip
    """Make an ended delivery due now, under the same webhook id; its retries begin anew.

    Raises NotFound; WrongState while it is pending and where its endpoint is disabled or deleted;
    Gone when its job was deleted.
    """
    with engine.begin() as tx:
        known = delivery_log.find(tx, delivery_id, actor.project_id)
        if known is None:
            raise NotFound("delivery")
        endpoint = webhook_endpoints.find(tx, known.endpoint_id, actor.project_id)
        if known.body is None:
            raise Gone("delivery's job")
        if endpoint is None:
            raise _wrong(known.status, "The endpoint of this delivery was deleted.")
        require_enabled(endpoint)
        if not delivery_log.redeliver(tx, delivery_id):
            raise _wrong("pending", "The delivery is pending already.")
        audit.append(tx, actor.project_id, actor.name, "delivery.redeliver", delivery_id)
        due = delivery_log.find(tx, delivery_id, actor.project_id)
        before_commit(tx, due or known)


@again_if_rolled_back
def redeliver_range(
    engine: Engine, actor: Actor, endpoint_id: str, since: datetime, until: datetime | None,
    statuses: tuple[str, ...], before_commit: Callable[[Connection, int], None],
) -> int:  # fmt: skip
    """Make the ended deliveries of a span due again and return how many.

    Raises NotFound, WrongState for a disabled endpoint, Invalid `too_many` above `MOST_AT_ONCE`.
    """
    with engine.begin() as tx:
        endpoint = webhook_endpoints.find(tx, endpoint_id, actor.project_id)
        if endpoint is None:
            raise NotFound("webhook endpoint")
        require_enabled(endpoint)
        span = (since, until, statuses)
        if delivery_log.count_range(tx, endpoint_id, *span, MOST_AT_ONCE + 1) > MOST_AT_ONCE:
            detail = f"More than {MOST_AT_ONCE} deliveries lie in this span; ask for a shorter one."
            raise Invalid([FieldProblem("/until", detail)], "too_many")
        count = delivery_log.redeliver_range(tx, endpoint_id, *span)
        told = {"status": list(statuses), "count": count}
        audit.append(
            tx, actor.project_id, actor.name, "webhook_endpoint.redeliver", endpoint_id, told
        )
        before_commit(tx, count)
    return count


def _wrong(status: str, detail: str) -> WrongState:
    return WrongState("wrong_state", detail, [FieldProblem("/status", status)])
