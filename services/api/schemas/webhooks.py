"""What of a webhook a client says: its address and the events it hears of."""

import re
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from services.api.schemas.strict import Choice, Flag, StrictSchema, Text
from shared.contracts.plan_fields import WholeNumber
from shared.domain.webhook import EVENTS, JOB_EVENTS
from shared.net.web_address import LONGEST

_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII | re.IGNORECASE
)
OVERLAP_S, LONGEST_OVERLAP_S = 86_400, 30 * 86_400  # of a secret and the one before it
AGAIN = {  # what a word of `status` sends again
    "failed": ("failed", "skipped"),
    "skipped": ("skipped",),
    "succeeded": ("succeeded",),
    "cancelled": ("cancelled",),
    "all": ("failed", "skipped", "succeeded", "cancelled"),
}
URL = "A public http or https address; it is checked now and at every sending."


class Address(Text):
    """The address of a receiver; whether it is allowed is looked at after its form."""

    def __init__(self, **rest: Any) -> None:
        # no `format`: "uri" is ASCII only, and names in other scripts are taken too
        told = {"description": URL, "pattern": "^https?://"}
        super().__init__(LONGEST, metadata=told, **rest)


class Events(fields.List[Any]):
    """Event types, each once and at least one."""

    def __init__(self, among: tuple[str, ...], **rest: Any) -> None:
        told = {"minItems": 1, "uniqueItems": True, "maxItems": len(among)}
        super().__init__(Choice(among), metadata=told, **rest)

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> list[Any]:
        found: list[Any] = super()._deserialize(value, *rest, **more)
        if not found:
            raise ValidationError("Name at least one event.")
        if len(set(found)) < len(found):
            raise ValidationError("Name each event once.")
        return found


class Moment(fields.String):
    """An RFC 3339 time with its offset, as a datetime."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(metadata={"format": "date-time"}, **rest)

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> Any:
        written: str = super()._deserialize(value, *rest, **more)
        try:
            if _MOMENT.match(written):
                return datetime.fromisoformat(written.upper())
        except ValueError:
            pass
        raise ValidationError("Write a time such as 2030-01-31T12:00:00Z.")


class JobWebhookRequestSchema(StrictSchema):
    """A receiver of this job's events, signed with the project's secret."""

    url = Address(required=True)
    events = Events(JOB_EVENTS, load_default=lambda: ["job.finished"])


class EndpointRequestSchema(StrictSchema):
    """A receiver of a project's events."""

    url = Address(required=True)
    events = Events(EVENTS, load_default=lambda: list(EVENTS))
    description = Text(500, blank=True, load_default="")


class EndpointChangesSchema(StrictSchema):
    """What changes of an endpoint; what is silent stays."""

    url = Address()
    events = Events(EVENTS)
    description = Text(500, blank=True)
    enabled = Flag(metadata={"description": "true also forgets what it failed before."})


class RotationSchema(StrictSchema):
    """For how long the former secret signs too."""

    overlap_s = WholeNumber(
        load_default=OVERLAP_S,
        validate=validate.Range(0, LONGEST_OVERLAP_S),
        metadata={"description": "Seconds in which both secrets sign; 0: the former one is out."},
    )


class RedeliverySchema(StrictSchema):
    """Which deliveries of an endpoint are sent again: made from `since` to before `until`."""

    since = Moment(required=True)
    until = Moment(allow_none=True, load_default=None)
    status = Choice(
        tuple(AGAIN),
        load_default="failed",
        metadata={"description": "`failed` means those skipped while it was disabled, too."},
    )
